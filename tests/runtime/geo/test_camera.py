"""What a camera sees of the ground: signs by hand, formulas by slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.geo.camera import Attitude, axis_ground, ground_from_pixels, pixels_from_ground, yaw_of
from tests.runtime.geo.drawn import CAMERA

TOP, RIGHT, MIDDLE = (319.5, 0.0), (639.0, 239.5), (319.5, 239.5)

attitudes = st.builds(Attitude, st.floats(-25, 25), st.floats(-90, -40), st.floats(0, 360))
pixels = st.tuples(st.floats(0, 639), st.floats(0, 479))


def ground(attitude: Attitude, pixel: tuple[float, float], height_m: float = 100.0) -> NDArray[np.float64]:
    return ground_from_pixels(CAMERA, attitude, height_m, np.array([pixel]))[0]


@given(attitudes, st.floats(5, 500), pixels)
def test_a_pixel_s_ground_is_seen_at_that_pixel(
    attitude: Attitude, height_m: float, pixel: tuple[float, float]
) -> None:
    place = ground(attitude, pixel, height_m)
    if np.isnan(place).any():
        return  # above the horizon
    u, v, w = pixels_from_ground(CAMERA, attitude, height_m) @ (*place, 1.0)
    assert w > 0
    assert (u / w, v / w) == pytest.approx(pixel, abs=1e-4)


@pytest.mark.parametrize(
    ("attitude", "pixel", "place"),
    [
        (Attitude(0, -90, 0), TOP, (0, 47.9)),  # straight down: the picture's top is where the nose points
        (Attitude(0, -90, 0), RIGHT, (63.9, 0)),
        (Attitude(0, -90, 90), TOP, (47.9, 0)),
        (Attitude(0, -90, 90), RIGHT, (0, -63.9)),
        (Attitude(0, -45, 0), MIDDLE, (0, 100)),  # half-way to the horizon: as far ahead as it is high
        (Attitude(0, -45, 270), MIDDLE, (-100, 0)),
        (Attitude(90, -90, 0), TOP, (47.9, 0)),  # straight down, the right wing sinks to the tail: clockwise from above
        (Attitude(0, -60, 0), MIDDLE, (0, 57.735)),
    ],
)
def test_signs(attitude: Attitude, pixel: tuple[float, float], place: tuple[float, float]) -> None:
    assert ground(attitude, pixel) == pytest.approx(place, abs=1e-3)


def test_with_the_right_wing_down_the_right_edge_sees_nearer_ground() -> None:
    level, banked = (ground(Attitude(roll, -40, 0), RIGHT) for roll in (0, 10))
    assert np.hypot(*banked) < np.hypot(*level)


def test_no_pixel_at_or_above_the_horizon_sees_ground() -> None:
    assert np.isnan(ground(Attitude(0, 20, 0), MIDDLE)).all()
    assert np.isnan(ground(Attitude(0, 0, 0), MIDDLE)).all()
    assert np.isfinite(ground(Attitude(180, -10, 0), TOP)).all()  # on its back the picture's top shows the ground


@pytest.mark.parametrize(
    ("attitude", "place"),
    [(Attitude(0, -90, 33), (0, 0)), (Attitude(0, -45, 90), (80, 0)), (Attitude(12, -45, 180), (0, -80))],
)
def test_the_optical_axis_meets_the_ground_where_trigonometry_says(
    attitude: Attitude, place: tuple[float, float]
) -> None:
    assert axis_ground(attitude, 80.0) == pytest.approx(place, abs=1e-9)


@pytest.mark.parametrize("pitch_deg", [0.0, 1.0, 90.0])
def test_at_and_above_the_horizon_the_axis_meets_no_ground(pitch_deg: float) -> None:
    assert axis_ground(Attitude(3, pitch_deg, 10), 80.0) is None


@given(st.floats(-20, 20), st.floats(-90, -5), st.floats(0, 359.99))
def test_heading_is_yaw_also_straight_down(roll_deg: float, pitch_deg: float, yaw_deg: float) -> None:
    found = yaw_of(Attitude(0.0, pitch_deg, yaw_deg))
    assert (found - yaw_deg + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)
    rolled = yaw_of(Attitude(roll_deg, pitch_deg, yaw_deg))
    assert abs((rolled - yaw_deg + 180) % 360 - 180) <= abs(roll_deg) + 1e-6


@given(st.integers(8, 1280), st.integers(8, 960), pixels)
def test_a_resized_picture_shows_the_same_ground_at_the_same_share_of_it(
    width_px: int, height_px: int, pixel: tuple[float, float]
) -> None:
    small = CAMERA.resized(width_px, height_px)
    moved = np.array([[(pixel[0] + 0.5) * width_px / 640 - 0.5, (pixel[1] + 0.5) * height_px / 480 - 0.5]])
    attitude = Attitude(2, -70, 40)
    assert ground_from_pixels(small, attitude, 60.0, moved)[0] == pytest.approx(ground(attitude, pixel, 60.0), abs=1e-6)
