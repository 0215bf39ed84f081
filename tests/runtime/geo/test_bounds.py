"""Boxes on the map, also over the 180th meridian."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.geo.bounds import Bounds
from runtime.geo.mercator import HALF_WORLD_M, LatLon, to_metres


@given(st.floats(-84, 83), st.floats(-179, 178), st.floats(0.001, 1), st.floats(0.001, 1))
def test_degrees_come_back_and_the_middle_lies_between(lat: float, lon: float, high: float, wide: float) -> None:
    low, top = to_metres(LatLon(lat, lon)), to_metres(LatLon(lat + high, lon + wide))
    box = Bounds(low.x, low.y, top.x, top.y)
    assert box.as_degrees() == pytest.approx((lon, lat, lon + wide, lat + high))
    assert lat < box.centre.lat < lat + high
    assert box.centre.lon == pytest.approx(lon + wide / 2)


def test_over_the_180th_meridian_east_goes_on_and_the_middle_is_a_place_on_earth() -> None:
    degree_m = HALF_WORLD_M / 180
    box = Bounds(179 * degree_m, -degree_m, 183 * degree_m, degree_m)
    assert box.as_degrees() == pytest.approx((179.0, -1.0, 183.0, 1.0), abs=0.001)
    assert box.centre == pytest.approx((0.0, -179.0))
