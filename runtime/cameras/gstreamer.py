"""A GStreamer pipeline that ends in an ``appsink``, read through OpenCV."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2

from runtime.cameras.opencv import has_gstreamer, retrieve_rgb
from runtime.cameras.source import Shot
from runtime.clock import monotonic_us
from runtime.errors import SettingsError

APPSINK = "video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"  # the newest picture alone, at once


@dataclass
class GstreamerSource:
    """Pictures stamped when they arrive: a buffer's own time counts from the start of its stream."""

    name: str
    pipeline: str = field(repr=False)  # an RTSP address in it may hold a password
    exposure_delay_us: int = 0
    mend: str = ""  # what helps where it does not open
    _capture: cv2.VideoCapture | None = field(default=None, init=False, repr=False)

    def open(self) -> None:
        """Open the pipeline; raises SettingsError where OpenCV has no GStreamer, OSError where it does not start."""
        if not has_gstreamer():
            raise SettingsError(
                f"{self.name} needs an OpenCV with GStreamer, and this one ({cv2.__version__}, {cv2.__file__}) has "
                "none; use JetPack's: sudo apt install python3-opencv, make the environment with "
                "python3 -m venv --system-site-packages, and take out the wheel: pip uninstall opencv-python-headless"
            )
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # its warnings print pieces of the pipeline
        self._capture = cv2.VideoCapture(self.pipeline, cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            raise OSError(f"its GStreamer pipeline does not start{self.mend and '; ' + self.mend}")

    def read(self) -> Shot | None:
        if self._capture is None or not self._capture.grab():
            return None
        arrived_us = monotonic_us()
        picture = retrieve_rgb(self._capture)
        return None if picture is None else Shot(picture, arrived_us - self.exposure_delay_us)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None
