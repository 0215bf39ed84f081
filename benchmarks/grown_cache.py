"""A cache over more ground than there is a map of: rows replicated with their statistics, about the real ones.

What lies about the real map is shown mirrored: it is found on no frame, and costs what any ground costs.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.geo.bounds import Bounds
from runtime.geo.mercator import LatLon, Metres, ground_scale, to_metres
from runtime.maps.imagery import Imagery
from runtime.tiles.cache import TileCache
from runtime.tiles.windows import Grid
from runtime.types import Mask, Picture

DRAWN = 1 << 19  # rows; more of them are drawn again
_NOISE = 0.5  # of a row's own length: a replica is like ground elsewhere, not like its original


class MirroredImagery(Imagery):
    """The map; and about it, without end, the map in a mirror."""

    def window(self, centre: Metres, side_m: float, side_px: int) -> tuple[Picture, Mask]:
        """Read a square, as :meth:`Imagery.window` does; what is outside the map is a piece of it, left for right."""
        box, half_m = self.bounds, side_m / 2
        if box.west - half_m < centre.x < box.east + half_m and box.south - half_m < centre.y < box.north + half_m:
            return super().window(centre, side_m, side_px)
        inside = Metres(
            box.west + half_m + (centre.x - box.west) % max(box.east - box.west - side_m, 1.0),
            box.south + half_m + (centre.y - box.south) % max(box.north - box.south - side_m, 1.0),
        )
        picture, seen = super().window(inside, side_m, side_px)
        return np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(seen[:, ::-1])


@dataclass(frozen=True, slots=True)
class GrownCache(TileCache):
    """A cache whose imagery has no end."""

    def open_imagery(self) -> Imagery:
        """Open the map and its mirror images."""
        return MirroredImagery(self.imagery_path)


def grown(cache: TileCache, level: int, area_km2: float, folder: Path) -> TileCache:
    """One level of a cache on so many square kilometres about it; what is no real row is memory-mapped from a file."""
    grid = Grid(level, cache.footprints_m[level], float(cache.metadata.levels[level].stride_m))
    rows = cache.metadata.level_rows(level)
    west, south, east, north = cache.metadata.bounds_deg
    low, high = to_metres(LatLon(south, west)), to_metres(LatLon(north, east))
    half = math.sqrt(area_km2 * 1e6) / 2 / ground_scale((south + north) / 2)
    x, y = (low.x + high.x) / 2, (low.y + high.y) / 2
    box = Bounds(min(x - half, low.x), min(y - half, low.y), max(x + half, high.x), max(y + half, high.y))
    centre = np.concatenate([grid.centres(block, box) for block in grid.blocks(box)])
    embedding, scale = _rows(cache, rows, len(centre), folder)
    real = {_key(place): row for row, place in enumerate(cache.centre[rows].tolist(), rows.start)}
    inside = (centre >= (south, west)).all(axis=1) & (centre <= (north, east)).all(axis=1)
    for row in np.flatnonzero(inside).tolist():
        held = real.get(_key(centre[row].tolist()))
        if held is not None:
            centre[row], embedding[row], scale[row] = cache.centre[held], cache.embedding[held], cache.scale[held]
    facts = replace(cache.metadata.levels[level], rows=len(centre))
    levels = tuple(replace(one, rows=0) if i != level else facts for i, one in enumerate(cache.metadata.levels))
    metadata = replace(cache.metadata, levels=levels, bounds_deg=box.as_degrees())
    kept = GrownCache(**{one.name: getattr(cache, one.name) for one in fields(cache)})
    return replace(
        kept,
        metadata=metadata,
        embedding=embedding,
        scale=scale,
        centre=centre,
        level=np.full(len(centre), level, np.uint8),
    )


def _key(place: Sequence[float]) -> tuple[float, float]:
    return round(place[0], 9), round(place[1], 9)


def _rows(cache: TileCache, rows: slice, count: int, folder: Path) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Draw rows like the real ones: one of them each, with noise of half its length, quantised anew."""
    rng = np.random.default_rng(0)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".rows", delete=False) as file:
        embedding = np.memmap(file.name, np.int8, "w+", shape=(count, cache.embedding.shape[1]))
    real = cache.embedding[rows].astype(np.float32) * cache.scale[rows, None]
    some = real[rng.integers(0, len(real), min(DRAWN, count))]
    drawn = some + _NOISE / math.sqrt(some.shape[1]) * rng.standard_normal(some.shape, np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    step = np.abs(drawn).max(axis=1) / np.float32(127)
    rounded = np.rint(drawn / step[:, None]).astype(np.int8)
    for first in range(0, count, DRAWN):
        last = min(first + DRAWN, count)
        embedding[first:last] = rounded[: last - first]
    return embedding, np.resize(step, count)
