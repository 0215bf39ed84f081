"""Cameras on board: what is asked of their drivers, and what is said where one is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.cameras.csi import csi_camera, csi_pipeline
from runtime.cameras.opencv import has_gstreamer
from runtime.cameras.options import CameraOptions
from runtime.cameras.v4l2 import V4l2Camera, check_device, exposure_us
from runtime.errors import SettingsError

BUILD_INFORMATION = """
  Video I/O:
    DC1394:                      NO
    FFMPEG:                      YES
    GStreamer:                   {} (1.20.3)
    v4l/v4l2:                    YES (linux/videodev2.h)
"""


def test_the_pipeline_of_a_csi_camera_asks_for_size_rate_and_mode() -> None:
    options = CameraOptions(width_px=1920, height_px=1080, fps=29.97, sensor_mode=2)
    assert csi_pipeline(1, options) == (
        "nvarguscamerasrc sensor-id=1 sensor-mode=2 "
        "! video/x-raw(memory:NVMM),width=1920,height=1080,framerate=30000/1001 "
        "! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR "
        "! appsink drop=true max-buffers=1 sync=false"
    )


@pytest.mark.parametrize(("fps", "rate"), [(30.0, "30/1"), (2.5, "5/2"), (59.94, "60000/1001"), (120.0, "120/1")])
def test_what_is_not_asked_for_is_left_to_the_csi_camera(fps: float, rate: str) -> None:
    pipeline = csi_pipeline(0, CameraOptions(fps=fps))
    assert pipeline.startswith(f"nvarguscamerasrc sensor-id=0 ! video/x-raw(memory:NVMM),framerate={rate} ! nvvidconv ")


def test_gstreamer_takes_what_of_a_csi_pipeline_is_no_jetsons() -> None:
    launch = shutil.which("gst-launch-1.0")
    if launch is None:
        pytest.skip("gst-launch-1.0 is not installed")
    _, _, tail = csi_pipeline(0, CameraOptions()).partition("! nvvidconv ! ")
    command = [launch, "videotestsrc", "num-buffers=3", "!", *tail.split(), "wait-on-eos=false"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_an_opencv_without_gstreamer_is_refused_with_the_way_to_one_that_has_it() -> None:
    if has_gstreamer():
        pytest.skip("this OpenCV has GStreamer")
    with pytest.raises(SettingsError, match=r"csi:0 needs an OpenCV with GStreamer.*python3-opencv.*system-site"):
        csi_camera(0, CameraOptions()).open()


@pytest.mark.parametrize(("word", "expected"), [("YES", True), ("NO", False)])
def test_gstreamer_is_found_in_what_opencv_was_built_with(word: str, expected: bool) -> None:
    assert has_gstreamer(BUILD_INFORMATION.format(word)) is expected


@pytest.mark.parametrize(
    ("driver_ms", "expected_us"),
    [
        (99_960.5, 99_960_500),  # the end of the picture, 39.5 ms ago
        (0.0, 100_000_000),  # a driver without a stamp
        (1.7e12, 100_000_000),  # the time of day
        (100_010.0, 100_000_000),  # nobody sees the future
        (float("-1"), 100_000_000),
    ],
)
def test_a_driver_s_time_is_taken_where_it_is_on_our_clock(driver_ms: float, expected_us: int) -> None:
    assert exposure_us(driver_ms, now_us=100_000_000) == expected_us


def test_a_device_that_is_missing_or_none_may_mend_itself(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"is not there; is the camera plugged in\?"):
        V4l2Camera(str(tmp_path / "video9")).open()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="is no camera device"):
        check_device(str(tmp_path / "file"))
    with pytest.raises(OSError, match="it gives no pictures"):
        V4l2Camera("/dev/null").open()


def test_a_device_that_may_not_be_opened_is_told_with_the_group_that_may(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch(mode=0o000)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may open anything
    try:
        with pytest.raises(OSError, match=r"sudo usermod -aG video \$USER"):
            check_device(str(device))
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width_px": 640}, "640 x 0"),
        ({"width_px": -640, "height_px": -480}, "-640 x -480"),
        ({"fps": float("nan")}, "fps nan"),
        ({"fps": -5.0}, "fps -5"),
        ({"sensor_mode": -1}, "sensor_mode -1"),
        ({"exposure_delay_us": 20_000_000}, "exposure_delay_us 20000000"),
    ],
)
def test_options_that_no_camera_has_are_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        CameraOptions(**options)  # type: ignore[arg-type]
