"""The local frame, against straight lines through the Earth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.geo.local import LocalFrame, distance_m, off_box_m
from runtime.geo.mercator import (
    LatLon,
)
from tests.runtime.geo.drawn import earth_centred, places

near_m = st.tuples(st.floats(-1000, 1000), st.floats(-1000, 1000))


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
