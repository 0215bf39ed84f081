"""``pairs:PATH``: registered pictures of two dates, or of two sensors; one date flies, the other is the map."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from runtime.errors import DataError
from train.data.manifest import Choice, Row, read_rows
from train.data.overhead import UNKNOWN_GSD_M
from train.data.rectified import ViewSpec, render_views
from train.data.source import Picture, Views, pictures_under, read_picture


@dataclass(frozen=True)
class RegisteredSource:
    """Every pair is a scene: the drone's view comes from one date, the tile from the other, drawn anew each time."""

    pairs: Sequence[Row]
    view: ViewSpec

    @property
    def places(self) -> Sequence[str]:
        return [str(row.pictures[0]) for row in self.pairs]

    @property
    def files(self) -> Sequence[Path]:
        return [path for row in self.pairs for path in row.pictures]

    def without(self, broken: Collection[Path]) -> RegisteredSource:
        return replace(self, pairs=[row for row in self.pairs if not any(path in broken for path in row.pictures)])

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """The same footprint on both dates; raises DataError."""
        row = self.pairs[index]
        flown, mapped = (read_picture(row.pictures[i]) for i in rng.permutation(2))
        gsd_m = row.gsd_m or rng.uniform(*UNKNOWN_GSD_M)
        return render_views(_like(flown, mapped), gsd_m, rng, side_px=side_px, spec=self.view, mapped=mapped)


def open_pairs(path: Path, choice: Choice) -> list[Row]:
    """Pairs of a manifest (``a,b,gsd_m,split``), or of the folders ``a`` and ``b`` by equal names. Raises DataError."""
    if not path.is_dir():
        raise DataError(f"{path} is no folder; pairs:FOLDER wants a manifest.csv (a,b,gsd_m,split) or folders a and b")
    rows = read_rows(path, ("a", "b"), choice)
    if rows is not None:
        return rows
    names = [picture.relative_to(path / "a") for picture in choice.unlisted(pictures_under(path / "a"))]
    missing = [name for name in names if not (path / "b" / name).is_file()]
    if missing:
        raise DataError(f"{len(missing)} of {len(names)} pictures of {path / 'a'} have no pair in b: {missing[0]}")
    return [Row((path / "a" / name, path / "b" / name), None) for name in names]


def _like(picture: Picture, other: Picture) -> Picture:
    """``picture`` at the size of ``other``, where two sensors differ."""
    if picture.shape == other.shape:
        return picture
    size = other.shape[1], other.shape[0]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
