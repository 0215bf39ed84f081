"""``world:N``: places of N generated worlds, each seen on two dates; needs no files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from runtime.errors import DataError
from runtime.types import Picture
from train.data.manifest import Choice
from train.data.source import Views
from train.data.view_pair import render_views
from train.data.view_spec import ViewSpec
from train.world.covers import AUTUMN, SUMMER
from train.world.picture import paint
from train.world.zoning import draw_plan

_GSD_M = 0.35
_CELL_PX = 256  # a place: as much ground as a tile and a little around it
_FIRST_SEED = 1000  # far from the seeds of worlds that flights are drawn over
_VAL_EVERY = 4


@dataclass(frozen=True)
class DrawnSource:
    """A source of cells of generated worlds; one date is flown, the other is the map, drawn anew each time."""

    cells: Sequence[tuple[Picture, Picture]]
    names: Sequence[str]
    view: ViewSpec

    @property
    def places(self) -> Sequence[str]:
        """The name of each cell."""
        return self.names

    @property
    def files(self) -> Sequence[Path]:
        """No files: the worlds are drawn."""
        return ()

    def without(self, broken: Collection[Path]) -> DrawnSource:
        """Return the source as it is, since it has no files."""
        return self

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render a tile and a drone view of a random footprint in the cell."""
        flown, mapped = (self.cells[index][i] for i in rng.permutation(2))
        return render_views(flown, _GSD_M, rng, side_px=side_px, spec=self.view, mapped=mapped)


def open_drawn(count: str, choice: Choice, view: ViewSpec) -> DrawnSource:
    """Draw the worlds; raises DataError where ``count`` is no number of worlds."""
    if not (count.isdecimal() and int(count) >= 1):
        raise DataError(f"--data world:{count}: expected the number of worlds to draw, as world:1")
    cells, names = [], []
    for seed in range(_FIRST_SEED, _FIRST_SEED + int(count)):
        summer, autumn = _two_dates(seed)
        rows, columns = (side // _CELL_PX for side in summer.shape[:2])
        for place in range(rows * columns):
            split = "train" if place % _VAL_EVERY else "val"
            if choice.split not in (None, split):
                continue
            top, left = (_CELL_PX * k for k in divmod(place, columns))
            at = slice(top, top + _CELL_PX), slice(left, left + _CELL_PX)
            cells.append((summer[at], autumn[at]))
            names.append(f"world {seed} cell {place}")
    return DrawnSource(cells, names, view)


@lru_cache(maxsize=8)  # train and val are cells of the same worlds
def _two_dates(seed: int) -> tuple[Picture, Picture]:
    """Paint a world on both dates."""
    plan = draw_plan(seed)
    return paint(plan, SUMMER, _GSD_M), paint(plan, AUTUMN, _GSD_M)
