"""Frames of a folder of pictures, perhaps still growing, with its ``telemetry.csv``."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np

from runtime.errors import FlightError
from runtime.frame import Frame, Telemetry
from runtime.pictures import read_picture
from runtime.sensors.telemetry import newest_row, read_telemetry

_POLL_S = 0.05


def folder_frames(folder: Path) -> Generator[Frame, None, None]:
    """Yield every picture that ``telemetry.csv`` names, in order; raises FlightError on a table it cannot read."""
    telemetry, images = read_telemetry(folder / "telemetry.csv")
    for row, image in zip(telemetry, images, strict=True):
        yield _frame(row, image)


def _frame(row: Telemetry, image: Path) -> Frame:
    """Make a frame; a broken picture becomes one without pixels, for in flight it is a verdict like any other."""
    try:
        return Frame(row, read_picture(image), image.name)
    except FlightError:
        return Frame(row, np.empty((0, 0, 3), np.uint8), image.name)


def follow_folder(folder: Path, stopped: Callable[[], bool]) -> Generator[Frame, None, None]:
    """Yield the newest picture of a growing folder, again and again; older ones that were not reached are left out.

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
    """Tell whether a table holds more than a header, and no line half written."""
    return table.endswith(b"\n") and table.count(b"\n") > 1
