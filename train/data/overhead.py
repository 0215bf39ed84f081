"""``overhead:PATH`` and ``site:PATH``: pairs of views rendered from pictures taken straight down."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from runtime.errors import DataError
from train.data.manifest import Choice, read_rows
from train.data.rectified import ViewSpec, render_views
from train.data.source import Views, pictures_under, read_picture

UNKNOWN_GSD_M = (0.3, 0.5)  # drawn anew for each pair


@dataclass(frozen=True)
class Chip:
    """One picture of ground; metres per pixel None where unknown."""

    path: Path
    gsd_m: float | None
    place: str


@dataclass(frozen=True)
class OverheadSource:
    """Every chip is a scene."""

    chips: Sequence[Chip]
    view: ViewSpec

    @property
    def places(self) -> Sequence[str]:
        return [chip.place for chip in self.chips]

    @property
    def files(self) -> Sequence[Path]:
        return [chip.path for chip in self.chips]

    def without(self, broken: Collection[Path]) -> OverheadSource:
        return replace(self, chips=[chip for chip in self.chips if chip.path not in broken])

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """A tile and a drone view of a random footprint in the chip; raises DataError."""
        chip = self.chips[index]
        gsd_m = chip.gsd_m or rng.uniform(*UNKNOWN_GSD_M)
        return render_views(read_picture(chip.path), gsd_m, rng, side_px=side_px, spec=self.view)


def open_overhead(path: Path, gsd_m: float | None, choice: Choice) -> list[Chip]:
    """Chips of a folder, each of another place: those that a manifest lists, else all pictures. Raises DataError."""
    if not path.is_dir():
        raise DataError(f"{path} is no folder; overhead:FOLDER wants one with pictures, or with a manifest.csv")
    rows = read_rows(path, ("image",), choice)
    if rows is not None:
        return [Chip(row.pictures[0], row.gsd_m or gsd_m, str(row.pictures[0])) for row in choice.listed(rows)]
    return [Chip(p, gsd_m, str(p)) for p in choice.unlisted(pictures_under(path))]


def open_site(path: Path, gsd_m: float | None, choice: Choice) -> list[Chip]:
    """Overlapping pictures of one site: all of ``train``, all of one place. Raises DataError."""
    return [] if choice.split == "val" else [Chip(p, gsd_m, str(path)) for p in pictures_under(path)]
