"""Caches of one encoder and the same levels as one: rows of the same place are kept once, the first cache's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import CacheError
from runtime.files import whole_file
from runtime.maps.heights import Heights, join_heights
from runtime.maps.imagery import Imagery
from runtime.maps.mosaic import sources_of, write_mosaic
from runtime.tiles.cache import TileCache, map_facts
from runtime.tiles.format import Rows, write_rows
from runtime.tiles.metadata import Level
from runtime.tiles.windows import Grid
from runtime.types import Tick

_PART_ROWS = 16_384


def merge(caches: Sequence[TileCache], out: Path, tick: Tick) -> int:
    """Write the rows of all caches in the order of a build, and their imagery as a mosaic; returns how many rows.

    A map cut in pieces that overlap by a footprint gives the rows of the whole. Raises CacheError where encoders or
    levels differ, or ImageryError.
    """
    _check_alike(caches)
    cache, row = _ordered(caches)
    level = np.concatenate([one.level for one in caches])[row + _starts(caches)[cache]]
    with whole_file(out.with_suffix(".mbtiles")) as partial:
        write_mosaic([one.open_imagery() for one in caches], partial, tick)
        imagery = Imagery(partial)
        metadata = replace(
            caches[0].metadata,
            levels=_levels(caches, np.bincount(level, minlength=len(caches[0].footprints_m)).tolist()),
            imagery=map_facts(imagery, max(one.accuracy_ce90_m for one in caches)),
            bounds_deg=imagery.bounds.as_degrees(),
            sources=sources_of(imagery),
        )
        write_rows(out, metadata, _parts(caches, cache, row), (partial, imagery.zoom), _heights(caches, imagery))
        imagery.close()
    return len(row)


def _check_alike(caches: Sequence[TileCache]) -> None:
    """Raise CacheError where rows of two caches cannot lie in one."""
    first = caches[0]
    for other in caches[1:]:
        for what, of in (("encoder", _encoder), ("levels", _level_lengths)):
            if of(first) != of(other):
                raise CacheError(
                    f"{other.path} has another {what} than {first.path} ({of(other)}, not {of(first)}); build it again "
                    "with the same --bundle, --precision, --footprints and --stride: python -m runtime.tiles build"
                )

    for other in caches[1:]:
        if _shift(other) != _shift(first):
            raise CacheError(
                f"{first.path} and {other.path} are aligned by two shifts ({_shift(first)} and {_shift(other)} m "
                "east and north); build them again, merge, and align the whole: python -m runtime.tiles align"
            )


def _heights(caches: Sequence[TileCache], imagery: Imagery) -> Heights | None:
    """Join the heights of all caches over the map; none where no cache has any. Raises CacheError on two lattices."""
    pieces = [cache.heights for cache in caches]
    held = [piece for piece in pieces if piece is not None]
    if not held:
        return None
    lattices = [0 if piece is None else piece.cells for piece in pieces]
    if len(set(lattices)) > 1:
        other = next(i for i, cells in enumerate(lattices) if cells != lattices[0])
        first, second = (f"{caches[i].path} has {_lattice(pieces[i])}" for i in (0, other))
        raise CacheError(
            f"{first}, {second}; build them again with one DEM, or without: python -m runtime.tiles build --dem DEM.tif"
        )
    return join_heights(held, imagery.bounds)


def _lattice(heights: Heights | None) -> str:
    return "no heights" if heights is None else f"heights every {heights.step_m:.2f} m of Web Mercator"


def _encoder(cache: TileCache) -> tuple[Any, ...]:
    encoder = cache.metadata.encoder
    return encoder.name, encoder.sha256[:12], encoder.precision, encoder.dim


def _shift(cache: TileCache) -> tuple[float, float] | None:
    alignment = cache.metadata.alignment
    return None if alignment is None else (alignment.east_m, alignment.north_m)


def _level_lengths(cache: TileCache) -> list[tuple[float, float]]:
    return [(level.footprint_m, level.stride_m) for level in cache.metadata.levels]


def _starts(caches: Sequence[TileCache]) -> NDArray[np.int64]:
    return np.cumsum([0, *(len(cache.level) for cache in caches[:-1])])


def _ordered(caches: Sequence[TileCache]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Say of which cache each row of the merged one is, and which of its rows."""
    keys = np.concatenate([_keys(cache) for cache in caches])  # (N, 3)
    cache = np.repeat(np.arange(len(caches)), [len(one.level) for one in caches])
    order = np.lexsort((cache, *keys.T[::-1]))
    again = (np.diff(keys[order], axis=0) == 0).all(axis=1)
    kept = order[np.concatenate([[True], ~again])]
    return cache[kept], kept - _starts(caches)[cache[kept]]


def _keys(cache: TileCache) -> NDArray[np.int64]:  # (N, 3)
    keys = np.empty((len(cache.level), 3), np.int64)
    for level, (footprint_m, stride_m) in enumerate(_level_lengths(cache)):
        rows = cache.level == level
        keys[rows, 0] = level
        try:
            keys[rows, 1:] = Grid(level, footprint_m, stride_m).order(cache.centre[rows])
        except ValueError as error:
            raise CacheError(f"{cache.path}: {error}; build it again: python -m runtime.tiles build") from None
    return keys


def _levels(caches: Sequence[TileCache], rows: Sequence[int]) -> tuple[Level, ...]:
    """Add the levels of caches up; windows that were left out of two caches count twice."""
    levels = zip(*(cache.metadata.levels for cache in caches), strict=True)
    return tuple(
        replace(
            alike[0], rows=count, left_out={r: sum(level.left_out[r] for level in alike) for r in alike[0].left_out}
        )
        for alike, count in zip(levels, rows, strict=True)
    )


def _parts(caches: Sequence[TileCache], cache: NDArray[np.int64], row: NDArray[np.int64]) -> Iterator[Rows]:
    """Yield the merged rows, some at a time."""
    for first in range(0, len(row), _PART_ROWS):
        of, rows = cache[first : first + _PART_ROWS], row[first : first + _PART_ROWS]
        back = np.argsort(np.argsort(of, kind="stable"), kind="stable")
        grouped = [(one, rows[of == i]) for i, one in enumerate(caches)]
        yield Rows(
            *(np.concatenate([getattr(one, name)[some] for one, some in grouped])[back] for name in Rows._fields)
        )
