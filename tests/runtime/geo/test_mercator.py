"""Web Mercator and the local frame, against PROJ and against straight lines through the Earth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform

from runtime.geo.mercator import (
    HALF_WORLD_M,
    MAX_LATITUDE_DEG,
    LatLon,
    Metres,
    Tile,
    ground_scale,
    metres_per_px,
    north_west_of,
    tile_at,
    to_latlon,
    to_metres,
)
from tests.runtime.geo.drawn import earth_centred, places


@given(places)
def test_metres_are_those_of_proj(place: LatLon) -> None:
    (x,), (y,) = transform("EPSG:4326", "EPSG:3857", [place.lon], [place.lat])
    assert to_metres(place) == pytest.approx((x, y), abs=1e-3)


@given(places)
def test_metres_lead_back_to_the_place(place: LatLon) -> None:
    assert to_latlon(to_metres(place)) == pytest.approx(place, abs=1e-9)


def test_the_map_ends_where_the_standard_says() -> None:
    assert to_metres(LatLon(MAX_LATITUDE_DEG, 180.0)) == pytest.approx((20037508.342789244, 20037508.342789244))
    assert metres_per_px(18) == pytest.approx(0.5971642834779395)
    assert tile_at(to_metres(LatLon(40.1222, 20.6852)), 9) == Tile(9, 285, 193)  # mercantile's own test case
    for lat in (85.06, -90.0, math.nan):
        with pytest.raises(ValueError, match="outside Web Mercator"):
            to_metres(LatLon(lat, 0.0))


@given(places, st.integers(0, 22))
def test_a_tile_holds_its_point(place: LatLon, zoom: int) -> None:
    point = to_metres(place)
    tile = tile_at(point, zoom)
    corner, opposite = north_west_of(tile), north_west_of(Tile(zoom, tile.x + 1, tile.y + 1))
    slack = 1e-6
    assert corner.x - slack <= point.x <= opposite.x + slack
    assert opposite.y - slack <= point.y <= corner.y + slack


def test_a_corner_belongs_to_the_tile_south_east_of_it_and_the_edge_of_the_world_to_the_last() -> None:
    assert tile_at(Metres(0.0, 0.0), 3) == Tile(3, 4, 4)
    assert tile_at(Metres(HALF_WORLD_M, -HALF_WORLD_M), 3) == Tile(3, 7, 7)


@given(places)
def test_mercator_metres_shrink_to_ground_metres_by_the_scale(place: LatLon) -> None:
    point, step = to_metres(place), 50.0
    east = to_latlon(Metres(point.x + step, point.y))
    ground_m = float(np.linalg.norm(earth_centred(east) - earth_centred(place)))
    assert ground_m == pytest.approx(step * ground_scale(place.lat), rel=0.004)  # a sphere's scale on an ellipsoid
