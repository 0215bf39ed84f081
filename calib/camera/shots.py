"""Grey pictures of folders and videos, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from calib.camera.board import Grey
from calib.samples.sources import SUFFIXES
from runtime.errors import DataError

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".m4v", ".webm", ".mpg", ".ts")


@dataclass(frozen=True, slots=True)
class BoardShot:
    """A grey picture that may show the board, and how to call it."""

    name: str
    grey: Grey


def shots(sources: Sequence[Path], every_s: float) -> Iterator[BoardShot]:
    """Yield pictures of folders, single files and videos (the sharpest frame each ``every_s``); raises DataError."""
    for source in sources:
        if source.suffix.lower() in VIDEOS and source.is_file():
            yield from _video(source, every_s)
        elif source.is_dir():
            paths = sorted(p for p in source.iterdir() if p.suffix.lower() in SUFFIXES)
            if not paths:
                raise DataError(f"{source} holds no pictures; expected {', '.join(SUFFIXES)}, or the name of a video")
            yield from map(_read, paths)
        elif source.is_file():
            yield _read(source)
        else:
            raise DataError(f"{source} is missing; expected a folder of pictures, a picture or a video")


def _read(path: Path) -> BoardShot:
    """Read a picture; raises DataError."""
    # As the runtime reads frames: a turned picture (EXIF) keeps the shape that the sensor has.
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if grey is None:
        raise DataError(f"{path} is no picture that OpenCV can read; mend it, or take it out")
    return BoardShot(path.name, np.asarray(grey, np.uint8))


def _video(path: Path, every_s: float) -> Iterator[BoardShot]:
    """Yield the sharpest frames of a video; raises DataError."""
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    if not capture.isOpened():
        raise DataError(f"{path} is not a video that OpenCV can read; convert it to H.264 in .mp4")
    try:
        yield from _sharpest(capture, path.name, every_s)
    finally:
        capture.release()


def _sharpest(capture: cv2.VideoCapture, name: str, every_s: float) -> Iterator[BoardShot]:
    """Yield the sharpest frame of every ``every_s`` seconds."""
    best: BoardShot | None = None
    sharpness, until_s = -1.0, every_s
    while True:
        read, frame = capture.read()
        at_s = capture.get(cv2.CAP_PROP_POS_MSEC) * 1e-3
        if best is not None and (not read or at_s >= until_s):
            yield best
            best, sharpness, until_s = None, -1.0, at_s + every_s
        if not read:
            return
        grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
        edges = float(cv2.Laplacian(cv2.resize(grey, None, fx=0.5, fy=0.5), cv2.CV_32F).var())
        if edges > sharpness:
            best, sharpness = BoardShot(f"{name}@{at_s:.2f}s", grey), edges
