"""``manifest.csv``: which pictures belong to which split, their scale, and whether weights trained on them may ship."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import DataError

NAME = "manifest.csv"
_VAL_EVERY = 8


@dataclass(frozen=True)
class Choice:
    """Which rows are wanted; ``split`` None takes all."""

    split: str | None = None
    only_may_ship: bool = False

    def unlisted(self, pictures: Sequence[Path]) -> list[Path]:
        """Those wanted of pictures that no manifest lists: every eighth is held back for ``val``."""
        if self.split is None:
            return list(pictures)
        return [p for k, p in enumerate(pictures) if (k % _VAL_EVERY == _VAL_EVERY - 1) == (self.split == "val")]

    def apart(self, middles_m: NDArray[np.float64], reach_m: float) -> NDArray[np.int64]:
        """Those wanted of places of one site, (N, 2) metres: an eighth of them at its east or north end is ``val``.

        Places of ``train`` within ``reach_m`` of that block are left out, so that no ground is on both sides.
        """
        if self.split is None or not len(middles_m):
            return np.arange(len(middles_m))
        along = middles_m[:, np.ptp(middles_m, axis=0).argmax()]
        last = np.sort(along)[-1 - len(along) // _VAL_EVERY :]
        border = last[last > last[0]].min(initial=last[-1])  # a column of a grid is held back whole, or not
        return np.flatnonzero(along >= border if self.split == "val" else along < border - reach_m)


@dataclass(frozen=True)
class Row:
    """One line: its pictures, and metres per pixel where known."""

    pictures: tuple[Path, ...]
    gsd_m: float | None


def read_rows(under: Path, columns: Sequence[str], choice: Choice) -> list[Row] | None:
    """Rows of the manifest in a folder, or above it, whose pictures lie in the folder.

    ``columns`` name pictures. None where there is no manifest with these columns, ``gsd_m`` and ``split``; a manifest
    without ``may_ship`` says no. Raises DataError.
    """
    for folder in (under, under.parent):
        path = folder / NAME
        if not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
            if {*columns, "gsd_m", "split"} <= set(reader.fieldnames or ()):
                return _chosen(path, under, lines, columns, choice)
    return None


def _chosen(path: Path, under: Path, lines: list[dict[str, str]], columns: Sequence[str], choice: Choice) -> list[Row]:
    rows = []
    for line in lines:
        pictures = tuple(path.parent / line[column] for column in columns)
        ships = line.get("may_ship") == "yes" or not choice.only_may_ship
        if ships and choice.split in (None, line["split"]) and all(p.is_relative_to(under) for p in pictures):
            rows.append(Row(pictures, _gsd(path, line["gsd_m"])))
    missing = [p for row in rows for p in row.pictures if not p.is_file()]
    if missing:
        raise DataError(f"{path} lists {len(missing)} pictures that are missing, {missing[0]} first; fetch them again")
    return rows


def _gsd(path: Path, text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise DataError(f"{path} has gsd_m {text!r}; expected metres a pixel, or nothing where unknown") from None
