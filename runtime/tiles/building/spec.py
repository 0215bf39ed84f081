"""All that decides the bytes of a cache beside the pictures and the encoder, and the one identity of a build."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runtime.errors import SettingsError
from runtime.maps.heights import DemSource
from runtime.maps.mosaic import MapCredit
from runtime.model.engine import Engine
from runtime.tiles.options import ACCURACY_CE90_M, FOOTPRINTS_M, STRIDE_SHARE
from runtime.tiles.windows import Grid


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """What a user may choose of a cache."""

    footprints_m: tuple[float, ...] = FOOTPRINTS_M
    """Sides of the windows, one a level."""
    stride_m: float | None = None
    """Between windows; None is a quarter of each footprint."""
    accuracy_ce90_m: float = ACCURACY_CE90_M
    """How well the map is placed: 90% of its points lie within this of where it shows them."""

    def __post_init__(self) -> None:
        lengths_m = [*self.footprints_m, *([] if self.stride_m is None else [self.stride_m])]
        possible = bool(self.footprints_m) and all(0 < length_m < 1e6 for length_m in lengths_m)
        if not (possible and 0 <= self.accuracy_ce90_m < math.inf):
            raise SettingsError("--accuracy, --footprints and --stride are metres; expected positive numbers")

    def grids(self) -> tuple[Grid, ...]:
        """Return the grid of each level, the smallest footprint first."""
        sides_m = sorted(self.footprints_m)
        return tuple(Grid(i, side_m, self.stride_m or side_m * STRIDE_SHARE) for i, side_m in enumerate(sides_m))

    def fingerprint(
        self, engine: Engine, maps: Sequence[tuple[MapCredit, str]], dem: DemSource | None = None
    ) -> Mapping[str, Any]:
        """Tell this build from every other: what it is made of and how, as plain values for JSON.

        ``maps`` are the maps in the order of their rank, each with the hash of its file or folder; ``dem`` is the
        terrain model.
        """
        return {
            "maps": [{**asdict(source), "sha256": sha256} for source, sha256 in maps],
            "dem": None if dem is None else asdict(dem),
            "encoder": engine.encoder_sha256,
            "precision": engine.precision,
            "footprints_m": [grid.footprint_m for grid in self.grids()],
            "strides_m": [grid.stride_m for grid in self.grids()],
            "accuracy_ce90_m": self.accuracy_ce90_m,
        }
