"""Cameras with a Video4Linux driver, such as those on USB: read through OpenCV, stamped by the driver."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

import cv2

from runtime.cameras.opencv import retrieve_rgb
from runtime.cameras.options import CameraOptions
from runtime.cameras.source import Shot
from runtime.clock import monotonic_us
from runtime.errors import SettingsError

_OLDEST_STAMP_US = 5_000_000  # further from now it is of another clock


@dataclass
class V4l2Camera:
    """A device such as ``/dev/video0``."""

    device: str
    options: CameraOptions = field(default_factory=CameraOptions)
    _capture: cv2.VideoCapture | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        return f"v4l2:{self.device}"

    def open(self) -> None:
        """Open the device; raises OSError with the mend, SettingsError for a size that it does not have."""
        check_device(self.device)
        self._capture = capture = cv2.VideoCapture(self.device, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise OSError(f"it gives no pictures; who else holds it? fuser -v {self.device}")
        wanted = self.options.width_px, self.options.height_px
        if wanted[0]:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, wanted[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted[1])
        if self.options.fps:
            capture.set(cv2.CAP_PROP_FPS, self.options.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # a queue of old pictures helps nobody
        found = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if wanted[0] and found != wanted:
            raise SettingsError(
                f"{self.name} gives {found[0]} x {found[1]} pixels, expected {wanted[0]} x {wanted[1]}; what it has: "
                f"v4l2-ctl -d {self.device} --list-formats-ext"
            )

    def read(self) -> Shot | None:
        if self._capture is None or not self._capture.grab():
            return None
        stamp_us = exposure_us(self._capture.get(cv2.CAP_PROP_POS_MSEC), monotonic_us())
        picture = retrieve_rgb(self._capture)
        return None if picture is None else Shot(picture, stamp_us - self.options.exposure_delay_us)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def check_device(device: str) -> None:
    """Raise OSError, with the mend, for a device that is missing, that this user may not open, or that is none."""
    try:
        fd = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except FileNotFoundError:
        raise OSError(f"{device} is not there; is the camera plugged in? What is there: ls /dev/video*") from None
    except PermissionError:
        raise OSError(
            f"this user may not open {device}; sudo usermod -aG video $USER, then log in again "
            "(of a service: SupplementaryGroups=video)"
        ) from None
    try:
        if not stat.S_ISCHR(os.fstat(fd).st_mode):
            raise OSError(f"{device} is no camera device; expected one such as /dev/video0")
    finally:
        os.close(fd)


def exposure_us(driver_ms: float, now_us: int) -> int:
    """Return the driver's time of a picture, or now where it is not on the monotonic clock.

    OpenCV gives the buffer's time as CAP_PROP_POS_MSEC once it is grabbed; most drivers stamp the end of the picture
    with CLOCK_MONOTONIC, a few leave it at zero or tell the time of day.
    """
    stamp_us = round(driver_ms * 1000.0)
    return stamp_us if 0 <= now_us - stamp_us <= _OLDEST_STAMP_US else now_us
