"""CSI cameras of a Jetson, through its image signal processor."""

from __future__ import annotations

from fractions import Fraction

from runtime.cameras.gstreamer import APPSINK, GstreamerSource
from runtime.cameras.options import CameraOptions

_MEND = (
    "is the ribbon cable in, and is the sensor chosen in jetson-io? 'Failed to create CaptureSession' is mended by "
    "sudo systemctl restart nvargus-daemon, on JetPack 6.2 at times only by a reboot"
)


def csi_pipeline(sensor: int, options: CameraOptions) -> str:
    """Build the pipeline of CSI camera ``sensor``, for OpenCV."""
    mode = "" if options.sensor_mode is None else f" sensor-mode={options.sensor_mode}"
    caps = ["video/x-raw(memory:NVMM)"]
    if options.width_px:
        caps += [f"width={options.width_px}", f"height={options.height_px}"]
    if options.fps:
        rate = _rate(options.fps)
        caps.append(f"framerate={rate.numerator}/{rate.denominator}")
    return (
        f"nvarguscamerasrc sensor-id={sensor}{mode} ! {','.join(caps)} "
        f"! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! {APPSINK}"
    )


def _rate(fps: float) -> Fraction:
    """Return a rate as GStreamer wants it; 29.97 is short for 30000/1001, as in television."""
    television = Fraction(round(fps * 1.001) * 1000, 1001)
    return television if 0.0 < abs(fps - television) < 0.005 else Fraction(fps).limit_denominator(1000)


def csi_camera(sensor: int, options: CameraOptions) -> GstreamerSource:
    """Return CSI camera ``sensor``, not opened yet."""
    return GstreamerSource(f"csi:{sensor}", csi_pipeline(sensor, options), options.exposure_delay_us, _MEND)
