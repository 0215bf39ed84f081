"""The metadata of caches that tests draw, without a map or an encoder."""

from __future__ import annotations

import contextlib
import math
import shutil
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.geo.bounds import Bounds
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon, to_metres
from runtime.tiles.cache import TileCache
from runtime.tiles.format import quantise_rows, to_rows, write_rows
from runtime.tiles.metadata import CacheMetadata, EncoderFacts, Level, MapFacts
from runtime.tiles.windows import windows_over


def metadata_of(levels: Sequence[tuple[float, float, int]], dim: int) -> CacheMetadata:
    """``levels`` are footprint and stride in metres, and rows."""
    return CacheMetadata(
        EncoderFacts("toy", "ab" * 32, "fp32", dim),
        tuple(Level(footprint_m, stride_m, rows, {}) for footprint_m, stride_m, rows in levels),
        (8.0, 47.0, 8.1, 47.1),
        MapFacts(5.0, "", 1, (18, 0, 0, 0, 0)),
        (),
    )


METADATA = metadata_of([(45.0, 11.25, 2), (64.0, 16.0, 3)], 6)


def unit_rows(count: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_small(path: Path, embedding: NDArray[np.float32] | None = None) -> Path:
    rows = unit_rows(5, 6) if embedding is None else embedding
    centre = np.column_stack([np.linspace(47.0, 47.1, 5), np.linspace(8.0, 8.1, 5)])
    write_rows(path, METADATA, [to_rows(rows, centre, np.array([0, 0, 1, 1, 1], np.uint8))])
    return path


def middle_of(cache: TileCache) -> LatLon:
    return cache.open_imagery().bounds.centre


def piece(toy_tiles: Path, folder: Path, name: str, columns: str) -> Path:
    """The map's tile columns that a condition on their place from the west names."""
    path = Path(shutil.copy(toy_tiles.with_suffix(".mbtiles"), folder / f"{name}.mbtiles"))
    with contextlib.closing(sqlite3.connect(path)) as db:
        (first,) = db.execute("SELECT MIN(tile_column) FROM tiles").fetchone()
        db.execute(f"DELETE FROM tiles WHERE NOT tile_column - {first} {columns}")
        db.commit()
    return path


ORIGIN = LatLon(47.0, 180.0)  # half of the rows lie west of the 180th meridian


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=4)
def cache_of(count: int, dim: int, seed: int = 0) -> TileCache:
    """Two levels of tiles anywhere in 4 km, each ordered along its north-south axis."""
    rng = np.random.default_rng(seed)
    decay = 0.97 ** np.arange(dim)  # as of a Matryoshka embedding: what comes first tells most
    rows, scale = quantise_rows(unit(rng.normal(size=(count, dim)) * decay))
    north = np.sort(rng.uniform(-2000, 2000, count))
    level = np.repeat([0, 1], [count // 3, count - count // 3]).astype(np.uint8)
    frame = LocalFrame(ORIGIN)
    centre = np.array([frame.to_latlon(e, n) for e, n in zip(rng.uniform(-2000, 2000, count), north, strict=True)])
    metadata = metadata_of([(64.0, 16.0, count // 3), (128.0, 32.0, count - count // 3)], dim)
    return TileCache(Path("drawn.tiles"), metadata, rows, scale, centre, level)


@lru_cache(maxsize=8)
def windows_about(middle: LatLon, half_m: float, dim: int, seed: int = 0) -> TileCache:
    """Two levels of tiles where a build puts them, a tenth of them left out, and a third level without any."""
    rng, sides_m = np.random.default_rng(seed), ((64.0, 16.0), (128.0, 32.0))
    centre, reach = to_metres(middle), half_m / math.cos(math.radians(middle.lat))
    box = Bounds(centre.x - reach, centre.y - reach, centre.x + reach, centre.y + reach)
    places = [
        [w.place for w in windows_over(box, i, *side_m) if rng.random() < 0.9] for i, side_m in enumerate(sides_m)
    ]
    counts = [len(some) for some in places]
    levels = [(*side_m, count) for side_m, count in zip(sides_m, counts, strict=True)]
    decay = 0.97 ** np.arange(dim)  # as of a Matryoshka embedding: what comes first tells most
    rows, scale = quantise_rows(unit(rng.normal(size=(sum(counts), dim)) * decay))
    level = np.repeat([0, 1], counts).astype(np.uint8)
    metadata = metadata_of([*levels, (256.0, 64.0, 0)], dim)
    return TileCache(Path("drawn.tiles"), metadata, rows, scale, np.array([*places[0], *places[1]]), level)


def queries_near(cache: TileCache, count: int, seed: int) -> NDArray[np.float32]:
    """Like some rows of the cache, as a frame is like its tile."""
    rng = np.random.default_rng(seed)
    like = cache.embedding[rng.integers(len(cache.embedding), size=count)] / np.float32(127)
    return unit(like + rng.normal(size=like.shape) * 0.15 * np.abs(like).mean())
