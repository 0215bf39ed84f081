"""Which frames can be used, and how they lie on the ground."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.fix import NoFixReason
from runtime.frame import Frame, Telemetry
from runtime.geo.camera import Camera, axis_ground
from runtime.locate.ground_view import UNKNOWN_HEADINGS_DEG, ground_views, unusable
from runtime.locate.mount import MountEstimate
from runtime.locate.offset import HEIGHT, SIZE, TURN
from runtime.locate.pose import rotation_from_vector

NAN = math.nan
LENS = Camera(640, 480, np.array([[500.0, 0, 319.5], [0, 500.0, 239.5], [0, 0, 1.0]]), np.zeros(5))
TEXTURE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
DOWN = Telemetry(0, 100.0, 0.0, -90.0, 0.0)
GOOD = Frame(DOWN, TEXTURE)


def told(**telemetry: float) -> Frame:
    return replace(GOOD, telemetry=replace(DOWN, **telemetry))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (GOOD, None),
        (replace(GOOD, picture=TEXTURE[:240, :320]), None),  # a smaller picture of the same shape
        (replace(GOOD, picture=np.empty((0, 0, 3), np.uint8)), "unreadable_picture"),
        (replace(GOOD, picture=TEXTURE[:, :480]), "other_camera"),
        (replace(GOOD, picture=np.full_like(TEXTURE, 7)), "blank_picture"),
        (replace(GOOD, picture=(TEXTURE // 64).astype(np.uint8)), "blank_picture"),  # night: four grey levels
        (told(alt_agl_m=NAN), "no_altitude"),
        (told(alt_agl_m=0.0), "no_altitude"),
        (told(alt_agl_m=-3.0), "no_altitude"),
        (told(cam_pitch_deg=NAN), "no_pitch"),
        (told(cam_pitch_deg=-14.9), "near_horizon"),
        (told(cam_pitch_deg=20.0), "near_horizon"),
        (told(cam_pitch_deg=-15.0), None),
        (told(cam_yaw_deg=NAN, cam_roll_deg=NAN), None),
    ],
)
def test_a_frame_that_cannot_be_used_has_its_reason(frame: Frame, reason: NoFixReason | None) -> None:
    assert unusable(frame, LENS) == reason


def test_a_known_heading_is_one_view_and_an_unknown_one_a_view_each_thirty_degrees() -> None:
    assert len(ground_views(GOOD, LENS, MountEstimate())) == 1
    views = ground_views(told(cam_yaw_deg=NAN, cam_pitch_deg=-60.0), LENS, MountEstimate())
    assert [round(math.degrees(math.atan2(*view.axis_en_m))) % 360 for view in views] == [0, *range(30, 360, 30)]
    assert len(UNKNOWN_HEADINGS_DEG) == 12


def test_straight_down_the_view_is_the_frame_s_own_ground() -> None:
    (view,) = ground_views(GOOD, LENS, MountEstimate())
    assert view.axis_en_m == pytest.approx((0.0, 0.0), abs=1e-9)
    assert view.side_m == pytest.approx(639 / 500 * 100)  # of 100 m above, along the wider side
    assert view.middle_en_m == pytest.approx((0.0, 0.0), abs=0.2)


def test_what_is_seen_towards_the_horizon_ends_at_three_altitudes() -> None:
    (view,) = ground_views(told(cam_pitch_deg=-20.0), LENS, MountEstimate())
    assert view.side_m <= 3 * 100.0


@given(st.floats(-90, -40), st.floats(0, 360), st.integers(0, 10**6))
def test_where_the_axis_meets_the_ground_is_as_uncertain_as_drawn_attitudes_say(
    pitch_deg: float, yaw_deg: float, seed: int
) -> None:
    """A covariance by derivatives against 4,000 cameras drawn from the same uncertainty, a fifth of it wide."""
    (view,) = ground_views(told(cam_pitch_deg=pitch_deg, cam_yaw_deg=yaw_deg), LENS, MountEstimate())
    sigma = np.array([0.02, 0.01, 0.012, 0.015, 0.07, 0.02, 0.02])
    drawn = np.random.default_rng(seed).normal(0.0, sigma, (4000, SIZE))
    places = [
        axis_ground(np.asarray(view.attitude) @ rotation_from_vector(d[TURN]), 100.0 * math.exp(d[HEIGHT]))
        for d in drawn
    ]
    assert np.allclose(view.axis_cov_m2(np.diag(sigma**2)), np.cov(np.array(places).T), rtol=0.15, atol=0.15)
