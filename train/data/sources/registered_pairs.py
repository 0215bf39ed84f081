"""``pairs:PATH``: two pictures of a place; of registered ones, either date flies and the other is the map."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from runtime.errors import DataError
from runtime.types import Picture
from train.data.manifest import Choice, ManifestRow, read_rows
from train.data.source import PairSource, Views, pictures_under, read_picture
from train.data.sources.overhead import UNKNOWN_GSD_M
from train.data.sources.unregistered_pairs import NAMES, find_unregistered
from train.data.view_pair import render_views
from train.data.view_spec import ViewSpec

_EXPECTED = (
    "expected folders or CSV columns a and b (registered), or drone and satellite (not registered); others are named "
    "so: pairs:PATH#drone=NAME,satellite=NAME"
)


@dataclass(frozen=True)
class RegisteredSource:
    """A source whose every pair is a scene: drone's view and tile come from one date each, drawn anew each time."""

    pairs: Sequence[ManifestRow]
    view: ViewSpec

    @property
    def places(self) -> Sequence[str]:
        """The first picture of each pair, as the name of its place."""
        return [str(row.pictures[0]) for row in self.pairs]

    @property
    def files(self) -> Sequence[Path]:
        """Every picture of every pair."""
        return [path for row in self.pairs for path in row.pictures]

    def without(self, broken: Collection[Path]) -> RegisteredSource:
        """Return the pairs of which no picture is among ``broken``."""
        return replace(self, pairs=[row for row in self.pairs if not any(path in broken for path in row.pictures)])

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render the same footprint on both dates; raises DataError."""
        row = self.pairs[index]
        flown, mapped = (read_picture(row.pictures[i]) for i in rng.permutation(2))
        gsd_m = row.gsd_m or rng.uniform(*UNKNOWN_GSD_M)
        return render_views(_like(flown, mapped), gsd_m, rng, side_px=side_px, spec=self.view, mapped=mapped)


def open_pairs(
    path: Path, names: tuple[str, str] | None, gsd_m: float | None, choice: Choice, view: ViewSpec
) -> PairSource:
    """Open what columns of a CSV (or of a manifest), or folders, say is paired; raises DataError.

    ``a`` and ``b`` are registered, ``drone`` and ``satellite`` are not; ``names`` are others to take for these two.
    """
    if not path.exists():
        raise DataError(f"{path} is no folder and no CSV file; {_EXPECTED}")
    unregistered = find_unregistered(path, names or NAMES, choice)
    if unregistered is not None:
        return unregistered.source(choice)
    rows = None if names else _registered(path, choice)
    if rows is None:
        raise DataError(f"{path} has neither columns nor folders {' and '.join(names or ('a', 'b'))}; {_EXPECTED}")
    return RegisteredSource([replace(row, gsd_m=row.gsd_m or gsd_m) for row in rows], view)


def _registered(path: Path, choice: Choice) -> list[ManifestRow] | None:
    """Read rows of a manifest or CSV, or the folders ``a`` and ``b`` by equal names; None where there are neither."""
    rows = read_rows(path, ("a", "b"), choice)
    if rows is not None:
        return choice.listed(rows)
    if not all((path / name).is_dir() for name in ("a", "b")):
        return None
    names = [picture.relative_to(path / "a") for picture in choice.unlisted(pictures_under(path / "a"))]
    missing = [name for name in names if not (path / "b" / name).is_file()]
    if missing:
        raise DataError(f"{len(missing)} of {len(names)} pictures of {path / 'a'} have no pair in b: {missing[0]}")
    return [ManifestRow((path / "a" / name, path / "b" / name)) for name in names]


def _like(picture: Picture, other: Picture) -> Picture:
    """Return ``picture`` at the size of ``other``, where two sensors differ."""
    if picture.shape == other.shape:
        return picture
    size = other.shape[1], other.shape[0]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
