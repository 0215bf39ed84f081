"""Frames of a folder of pictures, perhaps still growing, with its ``telemetry.csv``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import numpy as np

from runtime.errors import FlightError
from runtime.frame import Frame, Telemetry
from runtime.pictures import read_picture
from runtime.sensors.pace import Coming
from runtime.sensors.telemetry import read_telemetry, row_in_flight

logger = logging.getLogger(__name__)

_POLL_S = 0.05


def folder_frames(folder: Path) -> Generator[Frame, None, None]:
    """Return every picture that ``telemetry.csv`` names, in order.

    Raises FlightError at once on a table that it cannot read.
    """
    return (coming.read() for coming in folder_coming(folder))


def folder_coming(folder: Path) -> Generator[Coming, None, None]:
    """Return the same frames, each to be read when it is wanted; raises FlightError as :func:`folder_frames` does."""
    telemetry, images = read_telemetry(folder / "telemetry.csv")
    return (Coming(row.t_us, partial(_frame, row, image)) for row, image in zip(telemetry, images, strict=True))


def _frame(row: Telemetry, image: Path) -> Frame:
    """Make a frame; a broken picture becomes one without pixels, for in flight it is a verdict like any other."""
    try:
        return Frame(row, read_picture(image), image.name)
    except FlightError:
        return Frame(row, np.empty((0, 0, 3), np.uint8), image.name)


class FolderTail:
    """A folder that grows. The writer puts a picture down first, and then its whole line into ``telemetry.csv``.

    Of the table only what was added is read. No line ends the flight: what cannot be read of one is unknown, and a time
    that runs backwards is the localizer's to refuse.
    """

    def __init__(self, folder: Path) -> None:
        self._table = folder / "telemetry.csv"
        self._header, self._read_bytes = "", 0
        self._trouble = ""
        self.passed_over = 0
        """Rows that were overtaken by a newer one before anybody asked."""

    def newest(self) -> Frame | None:
        """Return the newest picture whose line was added since the last call; None where none was.

        Raises FlightError for a table without its columns.
        """
        lines = self._added()
        if not lines:
            return None
        self.passed_over += len(lines) - 1
        row = row_in_flight(self._table, self._header, lines[-1])
        return None if row is None else _frame(*row)

    def _added(self) -> list[str]:
        """Read the whole lines that were added; a table that became shorter is another one, and read anew.

        A table that cannot be read now has none: its disk may come back.
        """
        try:
            size = self._table.stat().st_size
            if size < self._read_bytes:
                self._header, self._read_bytes = "", 0
            if size <= self._read_bytes:
                return []
            with self._table.open("rb") as file:
                file.seek(self._read_bytes)
                added, newline, _ = file.read().rpartition(b"\n")
        except OSError as error:
            self._tell(error)
            if isinstance(error, FileNotFoundError):
                self._header, self._read_bytes = "", 0
            return []
        self._trouble = ""
        self._read_bytes += len(added) + len(newline)
        lines = [line for line in added.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]
        if lines and not self._header:
            self._header = lines.pop(0)
        return lines

    def _tell(self, error: OSError) -> None:
        """Tell once why the table cannot be read; one that is not there yet is no news."""
        trouble = error.strerror or str(error)
        if trouble != self._trouble and (self._read_bytes or not isinstance(error, FileNotFoundError)):
            logger.warning("%s: %s; it is looked for again and again", self._table, trouble)
        self._trouble = trouble


def follow_folder(tail: FolderTail, stopped: Callable[[], bool]) -> Generator[Frame, None, None]:
    """Yield the newest picture of a growing folder, again and again, until it is told to stop."""
    while not stopped():
        frame = tail.newest()
        if frame is None:
            time.sleep(_POLL_S)
        else:
            yield frame
