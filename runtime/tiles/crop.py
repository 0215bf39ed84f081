"""Cut a mission area out of a cache: its rows and its imagery as they are, nothing embedded anew."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from runtime.errors import CacheError, ImageryError
from runtime.files import whole_file
from runtime.geo.bounds import Bounds
from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import LatLon, ground_scale, to_metres
from runtime.maps.imagery import Imagery
from runtime.maps.mbtiles import begin_mbtiles, corners_of, end_mbtiles
from runtime.tiles.cache import TileCache, map_facts
from runtime.tiles.format import Rows, write_rows


def crop(cache: TileCache, around: LatLon, radius_m: float, out: Path) -> int:
    """Write rows whose tile shows ground within the radius, and the imagery of all of these; returns how many rows.

    Raises CacheError where nothing lies there, or ImageryError.
    """
    kept = _rows(cache, around, radius_m)
    if not len(kept):
        middle = cache.open_imagery().bounds.centre
        raise CacheError(
            f"{cache.path} has no tile within {radius_m:g} m of {around.lat:g},{around.lon:g}; "
            f"its middle is {middle.lat:.5f},{middle.lon:.5f}: python -m runtime.tiles info {cache.path}"
        )
    reach_m = radius_m + math.sqrt(2.0) * max(cache.footprints_m)
    map_path = out.with_suffix(".mbtiles")
    with whole_file(map_path) as partial:
        _copy_tiles(cache.open_imagery(), partial, around, reach_m)
        imagery = Imagery(partial)
        counts = np.bincount(cache.level[kept], minlength=len(cache.footprints_m)).tolist()
        levels = tuple(replace(level, rows=n) for level, n in zip(cache.metadata.levels, counts, strict=True))
        metadata = replace(
            cache.metadata,
            levels=levels,
            imagery=map_facts(imagery, cache.accuracy_ce90_m),
            bounds_deg=imagery.bounds.as_degrees(),
        )
        rows = Rows(cache.embedding[kept], cache.scale[kept], cache.centre[kept], cache.level[kept])
        heights = None if cache.heights is None else cache.heights.within(imagery.bounds)
        write_rows(out, metadata, [rows], (partial, imagery.zoom), heights)
        imagery.close()
    return len(kept)


def _rows(cache: TileCache, around: LatLon, radius_m: float) -> Any:  # (M,) int64, in the cache's order
    per_lon_m, per_lat_m = LocalFrame(around).metres_per_degree()
    d_lon = short_way_deg(cache.centre[:, 1] - around.lon)
    away_m = np.abs(np.column_stack([(cache.centre[:, 0] - around.lat) * per_lat_m, d_lon * per_lon_m]))
    half_m = np.array(cache.footprints_m)[cache.level] / 2
    beyond_m = np.maximum(away_m - half_m[:, None], 0.0)  # from the place to a tile's square
    return np.flatnonzero(np.hypot(beyond_m[:, 0], beyond_m[:, 1]) <= radius_m)


def _copy_tiles(imagery: Imagery, out: Path, around: LatLon, reach_m: float) -> None:
    """Copy the stored pictures that touch a square about a place, byte by byte."""
    middle, reach = to_metres(around), reach_m / ground_scale(around.lat)
    square = Bounds(middle.x - reach, middle.y - reach, middle.x + reach, middle.y + reach)
    (low, high), last = corners_of(square, imagery.zoom), (1 << imagery.zoom) - 1
    left, right = low.x % (last + 1), high.x % (last + 1)
    across = [(left, right)] if left <= right else [(left, last), (0, right)]  # over the 180th meridian
    source = sqlite3.connect(f"{imagery.path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    target = sqlite3.connect(out)
    try:
        begin_mbtiles(target, {k: v for k, v in imagery.metadata.items() if k not in {"bounds", "center"}})
        for first, end in across:
            found = source.execute(
                "SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles WHERE zoom_level = ? AND "
                "tile_column BETWEEN ? AND ? AND tile_row BETWEEN ? AND ? ORDER BY tile_row DESC, tile_column",
                (imagery.zoom, first, end, last - high.y, last - low.y),
            )
            target.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", found)
        end_mbtiles(target)
    except sqlite3.Error as error:
        raise ImageryError(f"{imagery.path} cannot be copied to {out}: {error}") from None
    finally:
        source.close()
        target.close()
