"""Recordings flown again as if they were cameras: each picture is given when its own clock says."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from runtime.cameras.opencv import retrieve_rgb
from runtime.cameras.source import Shot
from runtime.clock import monotonic_us
from runtime.errors import FlightError
from runtime.pictures import read_picture
from runtime.sensors.telemetry import read_telemetry
from runtime.types import Picture

_LONGEST_SILENCE_US = 500_000


@dataclass
class VideoStream:
    """A video file; its first picture is exposed when it is opened. Named ``FILE@T_US``, T_US from its start."""

    path: Path
    _capture: cv2.VideoCapture | None = field(default=None, init=False, repr=False)
    _opened_at_us: int = field(default=0, init=False)
    _given_at_us: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        return str(self.path)

    def open(self) -> None:
        """Open the file; raises FlightError when it is no video."""
        self._capture = cv2.VideoCapture(str(self.path))
        if not self._capture.isOpened():
            raise FlightError(f"{self.path} is not a video that OpenCV can read")
        self._opened_at_us = self._given_at_us = monotonic_us()

    def read(self) -> Shot | None:
        """Wait for the next picture that is not due yet; raises EOFError after the last one.

        Where the computer cannot decode as quickly as the camera filmed, late pictures come all the same, twice a
        second: with their time, so that their age is known.
        """
        assert self._capture is not None
        while self._capture.grab():
            t_us = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1000)
            exposed_at_us = self._opened_at_us + t_us
            now_us = monotonic_us()
            if t_us and exposed_at_us < now_us <= self._given_at_us + _LONGEST_SILENCE_US:
                continue  # late already: not worth more than this
            _wait_until(exposed_at_us)
            self._given_at_us = now_us
            picture = retrieve_rgb(self._capture)
            return Shot(_EMPTY if picture is None else picture, exposed_at_us, f"{self.path.name}@{t_us}")
        raise EOFError

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None


@dataclass
class FolderStream:
    """A recorded flight, or a folder of pictures that ``telemetry.csv`` names; pictures are named by their files."""

    path: Path
    _rows: list[tuple[int, Path]] = field(default_factory=list, init=False, repr=False)  # from the first one, us
    _opened_at_us: int = field(default=0, init=False)
    _at: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        return str(self.path)

    def open(self) -> None:
        """Read the table; raises FlightError."""
        telemetry, images = read_telemetry(self.path / "telemetry.csv")
        first_us = telemetry[0].t_us
        self._rows = [(row.t_us - first_us, image) for row, image in zip(telemetry, images, strict=True)]
        self._at = 0
        self._opened_at_us = monotonic_us()

    def read(self) -> Shot | None:
        """Wait for the next picture; one whose successor is due is passed over. Raises EOFError after the last one."""
        if self._at == len(self._rows):
            raise EOFError
        since_us = monotonic_us() - self._opened_at_us
        while self._at + 1 < len(self._rows) and self._rows[self._at + 1][0] <= since_us:
            self._at += 1
        t_us, image = self._rows[self._at]
        self._at += 1
        _wait_until(self._opened_at_us + t_us)
        return Shot(_read_or_empty(image), self._opened_at_us + t_us, image.name)

    def close(self) -> None:
        self._rows = []


_EMPTY = np.empty((0, 0, 3), np.uint8)


def _read_or_empty(image: Path) -> Picture:
    """Read a picture; a broken one is a verdict like any other in flight."""
    try:
        return read_picture(image)
    except FlightError:
        return _EMPTY


def _wait_until(due_us: int) -> None:
    time.sleep(max(due_us - monotonic_us(), 0) * 1e-6)
