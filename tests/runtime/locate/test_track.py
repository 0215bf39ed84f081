"""The track against its closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.locate.limits import TRACK
from runtime.locate.track import Track

SPEED2 = TRACK.first_speed_sigma_mps**2
PSD = TRACK.acceleration_psd_m2ps3


def track(sigma_m: float = 3.0) -> Track:
    return Track(0, np.array([10.0, -20.0]), np.eye(2) * sigma_m**2)


@pytest.mark.parametrize("dt", [0.1, 1.0, 7.0])
def test_uncertainty_grows_by_speed_and_by_white_acceleration(dt: float) -> None:
    one = track()
    one.predict(round(dt * 1e6))
    assert one.position_cov_m2 == pytest.approx(np.eye(2) * (9.0 + SPEED2 * dt**2 + PSD * dt**3 / 3))
    assert one.cov[2, 2] == pytest.approx(SPEED2 + PSD * dt)
    assert one.position_en_m == pytest.approx([10.0, -20.0])


def test_two_steps_are_one_long_step() -> None:
    one, two = track(), track()
    for each in (one, two):
        each.see_velocity(np.array([5.0, 1.0]))
    one.predict(3_000_000)
    two.predict(1_250_000)
    two.predict(3_000_000)
    assert two.mean == pytest.approx(one.mean)
    assert two.cov == pytest.approx(one.cov)


def test_a_look_is_weighed_by_both_variances() -> None:
    one = track(sigma_m=3.0)
    one.see_position(np.array([14.0, -20.0]), np.eye(2) * 16.0)
    assert one.position_en_m == pytest.approx([10.0 + 4.0 * 9 / 25, -20.0])
    assert one.position_cov_m2 == pytest.approx(np.eye(2) * 9 * 16 / 25)


def test_a_velocity_carries_the_position_along() -> None:
    one = track()
    one.see_velocity(np.array([12.0, 0.0]))
    one.predict(2_000_000)
    assert one.position_en_m == pytest.approx([34.0, -20.0], abs=0.5)


def test_the_gate_measures_in_standard_deviations() -> None:
    assert track(3.0).distance2(np.array([10.0, -20.0 + 10.0]), np.eye(2) * 16.0) == pytest.approx(100 / 25)
    assert track(3.0).distance2(np.array([np.nan, 0.0]), np.eye(2)) != 0
    assert not track(3.0).distance2(np.array([np.nan, 0.0]), np.eye(2)) <= TRACK.gate_99


steps = st.lists(
    st.tuples(st.floats(0.01, 20), st.sampled_from(["wait", "look", "speed"]), st.floats(-50, 50), st.floats(0.1, 30)),
    min_size=1,
    max_size=25,
)


@given(steps)
def test_the_covariance_stays_one_and_never_shrinks_without_a_measurement(
    flight: list[tuple[float, str, float, float]],
) -> None:
    one, t_us = track(), 0
    for dt, what, value, sigma in flight:
        before = one.sigma_m
        t_us += round(dt * 1e6)
        one.predict(t_us)
        assert one.sigma_m >= before
        if what == "look":
            one.see_position(np.array([value, -value]), np.diag([sigma**2, 2 * sigma**2]))
        if what == "speed":
            one.see_velocity(np.array([value, value]) / 5)
        assert one.cov == pytest.approx(one.cov.T)
        assert np.linalg.eigvalsh(one.cov)[0] > 0
        assert np.isfinite(one.mean).all()
