"""Lists of pictures as CSV: their split, their scale, and whether weights trained on them may ship."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from runtime.errors import DataError
from train.data.split import Split

T = TypeVar("T")

NAME = "manifest.csv"
_VAL_EVERY = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """The places that are wanted; ``split`` None takes all."""

    split: Split | None = None
    only_may_ship: bool = False

    def unlisted(self, scenes: Sequence[T]) -> list[T]:
        """Return the wanted ones of scenes whose split no list says: every eighth is held back for ``val``."""
        if self.split is None:
            return list(scenes)
        return [s for k, s in enumerate(scenes) if (k % _VAL_EVERY == _VAL_EVERY - 1) == (self.split == "val")]

    def listed(self, rows: Sequence[ManifestRow]) -> list[ManifestRow]:
        """Return the wanted rows; where they have no column ``split``, those of :meth:`unlisted`."""
        if any(row.split is None for row in rows):
            return self.unlisted(rows)
        return [row for row in rows if self.split in (None, row.split)]

    def apart(self, middles_m: NDArray[np.float64], reach_m: float) -> NDArray[np.int64]:
        """Return which places (N, 2) of one site are wanted, in metres: an eighth at its east or north end is ``val``.

        Places of ``train`` within ``reach_m`` of that block are left out, so that no ground is on both sides.
        """
        if self.split is None or not len(middles_m):
            return np.arange(len(middles_m))
        along = middles_m[:, np.ptp(middles_m, axis=0).argmax()]
        last = np.sort(along)[-1 - len(along) // _VAL_EVERY :]
        border = last[last > last[0]].min(initial=last[-1])  # a column of a grid is held back whole, or not
        return np.flatnonzero(along >= border if self.split == "val" else along < border - reach_m)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One line of a list: its pictures, and what the other columns say of them."""

    pictures: tuple[Path, ...]
    gsd_m: float | None = None  # None where unknown
    split: str | None = None  # None where the list has no such column
    may_ship: bool = False
    place: str = ""  # blank where the list does not name it
    cells: tuple[str, ...] = ()  # the pictures, as the list writes them
    lat_lon: tuple[str, str] = ("", "")  # as the list writes them; blank where unknown


def read_rows(under: Path, columns: Sequence[str], choice: Choice) -> list[ManifestRow] | None:
    """Read the rows of a CSV file, or of the manifest in a folder or above it that lie in the folder; of any split.

    ``columns`` name pictures, relative to the file. None where no such file has these columns. With ``only_may_ship``,
    a row says ``yes`` under ``may_ship`` or is left out. Raises DataError.
    """
    for path in (under,) if under.is_file() else (under / NAME, under.parent / NAME):
        if not path.is_file():
            continue
        names, lines = read_csv(path)
        if set(columns) <= set(names):
            rows = [_row(path, line, columns) for line in lines]
            inside = [row for row in rows if under == path or all(p.is_relative_to(under) for p in row.pictures)]
            return [row for row in inside if row.may_ship or not choice.only_may_ship]
    return None


def read_csv(path: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    """Read column names, and lines that have a cell for each; raises DataError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
            names = reader.fieldnames or ()
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file: {error}") from None
    for number, line in enumerate(lines, 2):
        if None in line or None in line.values():
            raise DataError(f"{path}: row {number} has another number of cells than the header ({','.join(names)})")
    return names, lines


def _row(path: Path, line: dict[str, str], columns: Sequence[str]) -> ManifestRow:
    """Parse one line; raises DataError."""
    if blank := [column for column in columns if not line[column]]:
        raise DataError(f"{path} has a row without {' and '.join(blank)}: {','.join(line.values())}")
    cells = tuple(line[column] for column in columns)
    return ManifestRow(
        tuple(path.parent / cell for cell in cells),
        _gsd(path, line.get("gsd_m", "")),
        split=line.get("split"),
        may_ship=line.get("may_ship") == "yes",
        place=line.get("place", ""),
        cells=cells,
        lat_lon=(line.get("lat", ""), line.get("lon", "")),
    )


def _gsd(path: Path, text: str) -> float | None:
    """Parse metres a pixel, None where the cell is blank; raises DataError."""
    try:
        gsd_m = float(text) if text else None
    except ValueError:
        gsd_m = -1.0
    if gsd_m is not None and not 0 < gsd_m < float("inf"):
        raise DataError(f"{path} has gsd_m {text!r}; expected metres a pixel, or nothing where unknown")
    return gsd_m
