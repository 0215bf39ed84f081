"""Web Mercator and the local frame, against PROJ and against straight lines through the Earth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform

from runtime.geo.local import LocalFrame, distance_m, off_box_m
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

places = st.builds(LatLon, st.floats(-75, 75), st.floats(-179.9, 179.9))
near_m = st.tuples(st.floats(-1000, 1000), st.floats(-1000, 1000))


def earth_centred(place: LatLon) -> np.ndarray:
    """WGS 84 surface point in metres from the Earth's centre (ICD-GPS-200's definition, nothing of ours)."""
    a, f = 6378137.0, 1 / 298.257223563
    lat, lon = np.radians(place)
    n = a / math.sqrt(1 - f * (2 - f) * math.sin(lat) ** 2)
    flat = n * math.cos(lat)
    return np.array([flat * math.cos(lon), flat * math.sin(lon), (1 - f) ** 2 * n * math.sin(lat)])


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


@given(places, near_m)
def test_local_metres_lead_back(origin: LatLon, away: tuple[float, float]) -> None:
    frame = LocalFrame(origin)
    assert frame.to_en(frame.to_latlon(*away)) == pytest.approx(away, abs=1e-5)


@given(places, near_m)
def test_local_distances_are_those_through_the_earth(origin: LatLon, away: tuple[float, float]) -> None:
    other = LocalFrame(origin).to_latlon(*away)
    straight_m = float(np.linalg.norm(earth_centred(other) - earth_centred(origin)))
    claimed_m = math.hypot(*away)
    # Meridians meet: what the frame leaves out grows with the square of the distance.
    bound_m = 1e-3 + claimed_m**2 / 6.35e6 * (1 + abs(math.tan(math.radians(origin.lat))))
    assert abs(straight_m - claimed_m) <= bound_m
    assert distance_m(origin, other) == pytest.approx(claimed_m, abs=1e-5)


def test_north_is_up_and_east_is_right_also_across_the_date_line() -> None:
    east, north = LocalFrame(LatLon(-17.0, 179.9999)).to_en(LatLon(-16.9999, -179.9999))
    assert (east, north) == pytest.approx((21.29, 11.07), abs=0.02)


def test_places_are_named_from_minus_180_to_180() -> None:
    assert LocalFrame(LatLon(-17.0, 179.9999)).to_latlon(21.29, 11.07) == pytest.approx((-16.9999, -179.9999), abs=1e-6)


@pytest.mark.parametrize(
    ("lon", "off_deg"), [(179.95, 0.0), (-179.95, 0.0), (180.05, 0.0), (179.8, 0.1), (-179.8, 0.1), (0.0, 179.9)]
)
def test_a_box_across_the_date_line_is_left_the_short_way(lon: float, off_deg: float) -> None:
    off_m = off_box_m(LatLon(0.0, lon), (179.9, -0.1, 180.1, 0.1))
    assert off_m == pytest.approx(math.radians(off_deg) * 6378137.0, rel=0.005, abs=1e-3)


@given(places)
def test_mercator_metres_shrink_to_ground_metres_by_the_scale(place: LatLon) -> None:
    point, step = to_metres(place), 50.0
    east = to_latlon(Metres(point.x + step, point.y))
    ground_m = float(np.linalg.norm(earth_centred(east) - earth_centred(place)))
    assert ground_m == pytest.approx(step * ground_scale(place.lat), rel=0.004)  # a sphere's scale on an ellipsoid
