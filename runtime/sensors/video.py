"""Frames of a video file, with telemetry of a table."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from runtime.errors import FlightError
from runtime.frame import Frame, Telemetry
from runtime.sensors.pace import Coming
from runtime.sensors.telemetry import read_telemetry, telemetry_at


def video_frames(video: Path, table: Path, every_s: float) -> Generator[Frame, None, None]:
    """Return a frame every so often, with telemetry between the rows of ``table``; t_us count from the video's start.

    Raises FlightError at once when the table cannot be read or the file is no video.
    """
    rows, _ = read_telemetry(table, needs_images=False)
    capture = cv2.VideoCapture(str(video))
    if not capture.isOpened():
        raise FlightError(f"{video} is not a video that OpenCV can read")
    return _frames(capture, video.name, rows, every_s)


def video_coming(video: Path, table: Path, every_s: float) -> Generator[Coming, None, None]:
    """Return the same frames as those of a recording; raises FlightError as :func:`video_frames` does."""

    def coming(frames: Generator[Frame, None, None]) -> Generator[Coming, None, None]:
        with contextlib.closing(frames):
            for frame in frames:
                yield Coming(frame.t_us, partial(_decoded, frame))

    return coming(video_frames(video, table, every_s))


def _decoded(frame: Frame) -> Frame:
    """Return a frame of a video, which has to decode also what is passed over."""
    return frame


def _frames(
    capture: cv2.VideoCapture, name: str, rows: list[Telemetry], every_s: float
) -> Generator[Frame, None, None]:
    times_us = [row.t_us for row in rows]
    try:
        due_us = 0
        while capture.grab():
            t_us = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1000)
            if t_us < due_us:
                continue
            due_us = t_us + round(every_s * 1e6)
            read, picture = capture.retrieve()
            if read:
                rgb = np.ascontiguousarray(picture[..., ::-1], np.uint8)
                yield Frame(telemetry_at(rows, times_us, t_us), rgb, f"{name}@{t_us}")
    finally:
        capture.release()
