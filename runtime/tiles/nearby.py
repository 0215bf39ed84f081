"""Which rows of a cache lie near a place: as quick over a country as over a village.

Rows of a level are ordered by blocks along a curve, so the rows of a block are found by bisection: a few reads of the
memory-mapped places, whatever the cache's size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.geo.bounds import Bounds
from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import LatLon, ground_scale, to_metres
from runtime.tiles.cache import TileCache
from runtime.tiles.windows import Block, Grid

_KEPT_BLOCKS = 1024


class NearbyRows:
    """Finds the rows about a place; in a cache that was opened lazily what is read is checked (CacheError)."""

    def __init__(self, cache: TileCache) -> None:
        self._cache = cache
        self._levels = [
            (Grid(level, float(facts.footprint_m), float(facts.stride_m)), cache.metadata.level_rows(level))
            for level, facts in enumerate(cache.metadata.levels)
        ]
        self._blocks: dict[Block, tuple[int, int]] = {}

    def rows(self, level: int, place: LatLon, reach_m: float) -> NDArray[np.int64]:  # (M,)
        """Return the rows of a level whose centres lie within ``reach_m`` of a place, in order."""
        grid, all_rows = self._levels[level]
        if all_rows.start >= all_rows.stop:
            return np.empty(0, np.int64)
        # Web Mercator's sphere is up to 0.7% off the ellipsoid that the reach is measured on.
        centre, reach = to_metres(place), 1.01 * reach_m / ground_scale(place.lat)
        box = Bounds(centre.x - reach, centre.y - reach, centre.x + reach, centre.y + reach)
        ranges = self._ranges(grid, grid.blocks(box), all_rows)
        parts = [np.arange(first, last) for first, last in ranges]
        near: NDArray[np.int64] = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
        if not len(near):
            return near
        self._cache.check_rows(near, ("centre",))
        per_lon_m, per_lat_m = LocalFrame(place).metres_per_degree()
        lat, lon = self._cache.centre[near].T
        away_m = np.hypot(short_way_deg(lon - place.lon) * per_lon_m, (lat - place.lat) * per_lat_m)
        within: NDArray[np.int64] = near[away_m <= reach_m]
        return within

    def _ranges(self, grid: Grid, blocks: Sequence[Block], rows: slice) -> list[tuple[int, int]]:
        """Find the first row of each block and the one after its last."""
        new = [block for block in blocks if block not in self._blocks]
        if new:
            keys = grid.place_along_curve(new)
            firsts, lasts = np.split(self._first_not_before(grid, np.concatenate([keys, keys + 1]), rows), 2)
            self._blocks.update(zip(new, zip(firsts.tolist(), lasts.tolist(), strict=True), strict=True))
        found = [self._blocks[block] for block in blocks]
        for block in [*blocks][: max(len(self._blocks) - _KEPT_BLOCKS, 0)]:
            del self._blocks[block]
        return found

    def _first_not_before(
        self,
        grid: Grid,
        keys: NDArray[np.int64],  # (K,)
        rows: slice,
    ) -> NDArray[np.int64]:  # (K,)
        """Bisect for the first row whose block is not before each key, for all of them at once."""
        low, high = np.full(len(keys), rows.start), np.full(len(keys), rows.stop)
        while (left := np.flatnonzero(low < high)).size:
            middle = (low[left] + high[left]) // 2
            self._cache.check_rows(middle, ("centre",))
            before = grid.order(np.asarray(self._cache.centre[middle]))[:, 0] < keys[left]
            low[left] = np.where(before, middle + 1, low[left])
            high[left] = np.where(before, high[left], middle)
        return low
