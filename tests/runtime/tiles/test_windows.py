"""The grid of windows against a slow reading of its definition: whole squares, no gaps, the same from any map."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.geo.bounds import Bounds
from runtime.geo.mercator import HALF_WORLD_M, RADIUS_M, LatLon, Metres, to_latlon, to_metres
from runtime.tiles.cache import TileCache
from runtime.tiles.windows import Grid, Window, windows_over

WORLD_M = 2 * HALF_WORLD_M
FOOTPRINT_M, STRIDE_M = 64.0, 16.0


def box(lat: float, lon: float, width_m: float, height_m: float) -> Bounds:
    """So many ground metres east and north of a place; beyond 180 E its east is beyond the half world."""
    corner, scale = to_metres(LatLon(lat, lon)), math.cos(math.radians(lat))
    return Bounds(corner.x, corner.y, corner.x + width_m / scale, corner.y + height_m / scale)


boxes = st.builds(
    box,
    st.floats(-80, 80),
    st.one_of(st.floats(-180, 179), st.floats(179.98, 180)),
    st.floats(1, 900),
    st.floats(1, 900),
)


def slowly(bounds: Bounds) -> set[tuple[float, float]]:
    """Latitude and longitude of each window, by the definition, one by one."""
    south, north = (math.radians(to_latlon(Metres(0.0, y)).lat) * RADIUS_M for y in (bounds.south, bounds.north))
    found = set()
    for row in range(math.floor(south / STRIDE_M), math.ceil(north / STRIDE_M) + 1):
        lat = row * STRIDE_M / RADIUS_M
        y, half = math.asinh(math.tan(lat)) * RADIUS_M, FOOTPRINT_M / math.cos(lat) / 2
        longest = max(math.cos(r * STRIDE_M / RADIUS_M) for r in range(row // 16 * 16, row // 16 * 16 + 16))
        count = 16 * math.ceil(WORLD_M * longest / STRIDE_M / 16)
        step = WORLD_M / count
        first = math.floor((bounds.west + HALF_WORLD_M) / step)
        for column in range(first, math.ceil((bounds.east + HALF_WORLD_M) / step) + 1):
            x = column * step - HALF_WORLD_M
            across = bounds.west <= x - half and x + half <= bounds.east
            if across and bounds.south <= y - half and y + half <= bounds.north:
                found.add((round(math.degrees(lat), 9), round(column % count / count * 360 - 180, 9)))
    return found


def placed(windows: list[Window]) -> list[tuple[float, float]]:
    return [(round(w.place.lat, 9), round(w.place.lon, 9)) for w in windows]


@given(boxes)
def test_the_windows_are_those_of_the_definition(bounds: Bounds) -> None:
    found = placed(windows_over(bounds, 0, FOOTPRINT_M, STRIDE_M))
    assert len(found) == len(set(found))
    assert set(found) == slowly(bounds)


@given(boxes, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_part_of_a_map_gives_the_same_windows_in_the_same_order(bounds: Bounds, cut: list[float]) -> None:
    (west, east), (south, north) = sorted(cut[:2]), sorted(cut[2:])
    width, height = bounds.east - bounds.west, bounds.north - bounds.south
    part = Bounds(
        bounds.west + west * width,
        bounds.south + south * height,
        bounds.west + east * width,
        bounds.south + north * height,
    )
    inside = set(placed(windows_over(part, 0, FOOTPRINT_M, STRIDE_M)))
    whole = [w for w in windows_over(bounds, 0, FOOTPRINT_M, STRIDE_M) if placed([w])[0] in inside]
    assert windows_over(part, 0, FOOTPRINT_M, STRIDE_M) == whole, "to the last bit"


@given(boxes, st.floats(0, 1), st.floats(0, 1))
def test_no_place_is_further_than_half_a_stride_from_a_window(bounds: Bounds, east: float, north: float) -> None:
    """But within a footprint and a stride of the map's rim."""
    windows = windows_over(bounds, 0, FOOTPRINT_M, STRIDE_M)
    scale = math.cos(math.radians(to_latlon(Metres(0.0, (bounds.south + bounds.north) / 2)).lat))
    rim = (FOOTPRINT_M / 2 + STRIDE_M) / scale * 1.01
    spare_x, spare_y = bounds.east - bounds.west - 2 * rim, bounds.north - bounds.south - 2 * rim
    if min(spare_x, spare_y) <= 0:
        return
    x, y = bounds.west + rim + east * spare_x, bounds.south + rim + north * spare_y
    off = np.array([w.centre for w in windows]) - (x, y)
    off[:, 0] = (off[:, 0] + HALF_WORLD_M) % WORLD_M - HALF_WORLD_M
    assert np.abs(off).max(axis=1).min() * scale <= STRIDE_M / 2 * 1.001


def test_windows_near_each_other_lie_near_in_the_file_at_any_latitude() -> None:
    for lat in (0.0, 47.5, -78.0):
        bounds = box(lat, 179.9, 20_000.0, 4_000.0)  # 80 bands of columns that do not lie under each other
        blocks = Grid(0, FOOTPRINT_M, STRIDE_M).blocks(bounds)
        centre = np.array([w.place for block in blocks for w in Grid(0, 64.0, 16.0).windows(block, bounds)[:1]])
        step_m = np.diff(centre, axis=0) * RADIUS_M * math.pi / 180 * (1.0, math.cos(math.radians(lat)))
        step_m = np.abs(step_m)[np.abs(step_m[:, 1]) < 1e6]
        assert np.median(step_m.max(axis=1)) < 2 * 32 * STRIDE_M
        assert np.percentile(step_m.max(axis=1), 90) < 8 * 32 * STRIDE_M


def test_the_order_of_rows_keeps_neighbours_together(toy_tiles: Path) -> None:
    cache = TileCache.open(toy_tiles)
    assert (np.diff(cache.level.astype(int)) >= 0).all()
    rows = cache.metadata.level_rows(0)
    away = np.diff(cache.centre[rows] * (111e3, 75e3), axis=0)
    assert np.median(np.hypot(*away.T)) < 2 * 32 / 4
