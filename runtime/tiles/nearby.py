"""Which rows of a cache lie near a place: as quick over a country as over a village.

Rows of a level are ordered by blocks along a curve, so the rows of a block are found by bisection: a few reads of the
memory-mapped places, whatever the cache's size.
"""

from __future__ import annotations

from collections import OrderedDict

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
        self._blocks: OrderedDict[Block, tuple[int, int]] = OrderedDict()

    def rows(self, level: int, place: LatLon, reach_m: float) -> NDArray[np.int64]:  # (M,)
        """Return the rows of a level whose centres lie within ``reach_m`` of a place, in order."""
        grid, all_rows = self._levels[level]
        if all_rows.start >= all_rows.stop:
            return np.empty(0, np.int64)
        # Web Mercator's sphere is up to 0.7% off the ellipsoid that the reach is measured on.
        centre, reach = to_metres(place), 1.01 * reach_m / ground_scale(place.lat)
        box = Bounds(centre.x - reach, centre.y - reach, centre.x + reach, centre.y + reach)
        parts = [np.arange(*self._range(grid, block, all_rows)) for block in grid.blocks(box)]
        near: NDArray[np.int64] = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
        if not len(near):
            return near
        self._cache.check_rows(near, ("centre",))
        per_lon_m, per_lat_m = LocalFrame(place).metres_per_degree()
        lat, lon = self._cache.centre[near].T
        away_m = np.hypot(short_way_deg(lon - place.lon) * per_lon_m, (lat - place.lat) * per_lat_m)
        within: NDArray[np.int64] = near[away_m <= reach_m]
        return within

    def _range(self, grid: Grid, block: Block, rows: slice) -> tuple[int, int]:
        """Find the first row of a block and the one after its last."""
        if block not in self._blocks:
            key = int(grid.place_along_curve([block])[0])
            start = self._first_not_before(grid, key, rows.start, rows.stop)
            # A block has few rows, so the end is near.
            self._blocks[block] = start, self._first_not_before(grid, key + 1, start, min(rows.stop, start + 257))
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(block)
        return self._blocks[block]

    def _first_not_before(self, grid: Grid, key: int, low: int, high: int) -> int:
        while low < high:
            middle = (low + high) // 2
            at = np.array([middle])
            self._cache.check_rows(at, ("centre",))
            if int(grid.order(np.asarray(self._cache.centre[at]))[0, 0]) < key:
                low = middle + 1
            else:
                high = middle
        return low
