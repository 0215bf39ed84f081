"""``telemetry.csv``: what the aircraft knew, a row a picture; and telemetry at any time, between the rows."""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

from runtime.errors import FlightError
from runtime.frame import LARGEST, Telemetry
from runtime.table import Row, read_rows

_REQUIRED = ("t_us", "image", "alt_agl_m", "cam_roll_deg", "cam_pitch_deg", "cam_yaw_deg")
_WITHOUT_IMAGES = tuple(name for name in _REQUIRED if name != "image")
_FASTEST_MPS = 150.0  # more is of another unit
_SHORTEST_STEP_US = 5_000  # between pictures, typically: no camera flies at 200 a second
_TELLING_STEPS = 4
_COUNTED_US = 100  # shorter ones count the pictures, and are no times at all
_MAX_GAP_US = 2_000_000  # telemetry further away than this says nothing of a video frame


def read_telemetry(path: Path, *, needs_images: bool = True) -> tuple[list[Telemetry], list[Path]]:
    """Read the rows of a ``telemetry.csv`` and the pictures they name; raises FlightError with the line."""
    telemetry: list[Telemetry] = []
    images: list[Path] = []
    for row in read_rows(path, _REQUIRED if needs_images else _WITHOUT_IMAGES):
        t_us = row.whole_number("t_us")
        if telemetry and t_us <= telemetry[-1].t_us:
            raise FlightError(
                f"{row.where}: t_us {t_us} does not come after {telemetry[-1].t_us}: the rows are in reverse, or two "
                "flights are in one table; sort the rows by time"
            )
        values = {name: _measured(row, name) for name in LARGEST}
        telemetry.append(Telemetry(t_us=t_us, session=row.cells.get("session") or "", **values))
        images.append(path.parent / row.cells.get("image", ""))
    if not telemetry:
        raise FlightError(f"{path} has no rows; expected one a picture")
    _refuse_implausible(path, telemetry, pictures=needs_images)
    return telemetry, images


def _refuse_implausible(path: Path, telemetry: Sequence[Telemetry], *, pictures: bool) -> None:
    """Raise FlightError for times and speeds that no flight has: they are of another unit."""
    steps_us = [b.t_us - a.t_us for a, b in pairwise(telemetry)]
    telling = pictures and len(steps_us) >= _TELLING_STEPS
    if telling and _COUNTED_US <= median(steps_us) < _SHORTEST_STEP_US:
        raise FlightError(
            f"{path}: rows are {median(steps_us):g} us apart, which no camera is: t_us looks like milliseconds; "
            "write it in microseconds"
        )
    speeds = [math.hypot(one.vel_north_mps, one.vel_east_mps) for one in telemetry]
    fast = max((speed for speed in speeds if math.isfinite(speed)), default=0.0)
    if fast > _FASTEST_MPS:
        raise FlightError(
            f"{path}: the velocity reaches {fast:.0f} m/s, which no drone does; vel_north_mps and vel_east_mps are "
            "metres a second (cm/s?); leave the cells blank when it is unknown"
        )


def newest_row(path: Path) -> tuple[Telemetry, Path] | None:
    """Read the last row of a ``telemetry.csv`` that is written in flight; None where the row has no time.

    Returns the telemetry and the picture's path. Raises FlightError for a table without its columns.
    """
    rows = deque(read_rows(path, _REQUIRED, strict=False), maxlen=1)
    return _in_flight(rows.pop(), path) if rows else None


def row_in_flight(path: Path, header: str, line: str) -> tuple[Telemetry, Path] | None:
    """Read one line of a ``telemetry.csv`` that is written in flight, as :func:`newest_row` does."""
    names = next(csv.reader([header]))
    lacking = [name for name in _REQUIRED if name not in names]
    if lacking:
        raise FlightError(f"{path} lacks the column {', '.join(lacking)}; it needs {','.join(_REQUIRED)}")
    try:
        cells = next(csv.reader([line]))
    except csv.Error:  # a cell without end, or a NUL
        return None
    return _in_flight(Row(str(path), dict(zip(names, cells, strict=False))), path)


def _in_flight(row: Row, path: Path) -> tuple[Telemetry, Path] | None:
    """In flight nothing is refused: what cannot be read of a row is unknown; None where it has no time."""
    try:
        t_us = row.whole_number("t_us")
    except (FlightError, KeyError):
        return None
    values = {}
    for name in LARGEST:
        try:
            values[name] = _measured(row, name)
        except FlightError:
            values[name] = math.nan
    telemetry = Telemetry(t_us=t_us, session=row.cells.get("session") or "", **values)
    return telemetry, path.parent / (row.cells.get("image") or "")


def telemetry_at(rows: Sequence[Telemetry], times_us: Sequence[int], t_us: int) -> Telemetry:
    """Interpolate telemetry at a time, straight between the rows around it (yaw the short way).

    Far from any row it is unknown.
    """
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


def _measured(row: Row, column: str) -> float:
    """Return a number that the aircraft can have measured; raises FlightError."""
    value = row.number(column)
    largest = LARGEST[column]
    if abs(value) > largest:
        mend = "leave the cell blank when it is unknown"
        raise FlightError(f"{row.where}: {column} is {value:g}, expected at most {largest:g} ({mend})")
    return value
