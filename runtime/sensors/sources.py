"""Where the daemon's frames come from: a folder of pictures, perhaps still growing, or a video file."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from runtime.errors import FlightError
from runtime.sensors.flight import newest_row, read_picture, read_telemetry
from runtime.sensors.frame import Frame, Telemetry

_POLL_S = 0.05
_MAX_GAP_US = 2_000_000  # telemetry further away than this says nothing of a video frame


def folder_frames(folder: Path) -> Generator[Frame, None, None]:
    """Every picture that ``telemetry.csv`` names, in order; raises FlightError on a table that cannot be read."""
    telemetry, images = read_telemetry(folder / "telemetry.csv")
    for row, image in zip(telemetry, images, strict=True):
        yield _frame(row, image)


def _frame(row: Telemetry, image: Path) -> Frame:
    """In flight a broken picture is a verdict like any other: it becomes a frame without pixels."""
    try:
        return Frame(row, read_picture(image), image.name)
    except FlightError:
        return Frame(row, np.empty((0, 0, 3), np.uint8), image.name)


def follow_folder(folder: Path, stopped: Callable[[], bool]) -> Generator[Frame, None, None]:
    """The newest picture of a growing folder, again and again; older ones that were not reached are passed over.

    The writer puts the picture down first and then its whole line into ``telemetry.csv``. No line ends the flight: what
    cannot be read of one is unknown, and a time that runs backwards is the localizer's to refuse.
    """
    table = folder / "telemetry.csv"
    done_us, size = None, -1
    while not stopped():
        if table.is_file() and table.stat().st_size != size and _has_whole_rows(table.read_bytes()):
            size = table.stat().st_size
            newest = newest_row(table)
            if newest is not None and newest[0].t_us != done_us:
                done_us = newest[0].t_us
                yield _frame(*newest)
                continue
        time.sleep(_POLL_S)


def _has_whole_rows(table: bytes) -> bool:
    """More than a header, and no line half written."""
    return table.endswith(b"\n") and table.count(b"\n") > 1


def video_frames(video: Path, table: Path, every_s: float) -> Generator[Frame, None, None]:
    """One frame every so often, with telemetry between the rows of ``table``, whose t_us count from the video's start.

    Raises FlightError when the file is no video.
    """
    rows, _ = read_telemetry(table, needs_images=False)
    times_us = [row.t_us for row in rows]
    capture = cv2.VideoCapture(str(video))
    if not capture.isOpened():
        raise FlightError(f"{video} is not a video that OpenCV can read")
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
                yield Frame(telemetry_at(rows, times_us, t_us), rgb, f"{video.name}@{t_us}")
    finally:
        capture.release()


def telemetry_at(rows: Sequence[Telemetry], times_us: Sequence[int], t_us: int) -> Telemetry:
    """Telemetry at a time, straight between the rows around it (yaw the short way); unknown far from any row."""
    after = min(max(bisect_right(times_us, t_us), 1), len(rows) - 1)
    a, b = rows[after - 1], rows[after]
    if min(abs(t_us - a.t_us), abs(t_us - b.t_us)) > _MAX_GAP_US:
        unknown = math.nan
        return Telemetry(t_us, unknown, unknown, unknown, unknown)
    share = min(max((t_us - a.t_us) / (b.t_us - a.t_us), 0.0), 1.0) if b.t_us != a.t_us else 0.0
    turn = (b.cam_yaw_deg - a.cam_yaw_deg + 180.0) % 360.0 - 180.0
    between = {
        name: getattr(a, name) + share * (getattr(b, name) - getattr(a, name))
        for name in ("alt_agl_m", "cam_roll_deg", "cam_pitch_deg", "vel_north_mps", "vel_east_mps", "alt_msl_m")
    }
    return replace(a, t_us=t_us, cam_yaw_deg=(a.cam_yaw_deg + share * turn) % 360.0, **between)


def keep_time(
    frames: Iterator[Frame], now_us: Callable[[], int], sleep: Callable[[float], None]
) -> Generator[Frame, None, None]:
    """Each frame when it is due by its own clock; one whose successor is already due is passed over, as in flight."""
    held = next(frames, None)
    if held is None:
        return
    offset_us = now_us() - held.t_us

    def wait_for(frame: Frame) -> Frame:
        sleep(max(frame.t_us + offset_us - now_us(), 0) * 1e-6)
        return frame

    for coming in frames:
        if now_us() - offset_us < coming.t_us:
            yield wait_for(held)
        held = coming
    yield wait_for(held)
