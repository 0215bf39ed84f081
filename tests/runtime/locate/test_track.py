"""The track against its closed forms."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.locate.belief_limits import POSTERIOR, TRACK
from runtime.locate.track import Track

SPEED2 = TRACK.first_speed_sigma_mps**2
PSD = TRACK.acceleration_psd_m2ps3


def track(sigma_m: float = 3.0) -> Track:
    return Track.at(0, np.array([10.0, -20.0]), np.eye(2) * sigma_m**2)


def flying(seed: int = 0) -> Track:
    """A track whose position and velocity hang together in every direction."""
    half = np.random.default_rng(seed).normal(size=(4, 4)) * [[4.0], [4.0], [1.0], [1.0]]
    return Track(5_000_000, np.array([10.0, -20.0, 5.0, 1.0]), half @ half.T + np.eye(4) * 0.1)


@pytest.mark.parametrize("dt", [0.1, 1.0, 7.0])
def test_uncertainty_grows_by_speed_and_by_white_acceleration(dt: float) -> None:
    one = track().predicted(round(dt * 1e6))
    assert one.t_us == round(dt * 1e6)
    assert one.position_cov_m2 == pytest.approx(np.eye(2) * (9.0 + SPEED2 * dt**2 + PSD * dt**3 / 3))
    assert one.cov[2, 2] == pytest.approx(SPEED2 + PSD * dt)
    assert one.position_en_m == pytest.approx([10.0, -20.0])


def test_two_steps_are_one_long_step() -> None:
    one = flying().predicted(8_000_000)
    two = flying().predicted(6_250_000).predicted(8_000_000)
    assert one.position_en_m == pytest.approx([10.0 + 3 * 5.0, -20.0 + 3 * 1.0])
    assert two.mean == pytest.approx(one.mean)
    assert two.cov == pytest.approx(one.cov)


def test_a_look_is_weighed_by_both_variances() -> None:
    one = track(sigma_m=3.0).seen_at(np.array([14.0, -20.0]), np.eye(2) * 16.0)
    assert one.position_en_m == pytest.approx([10.0 + 4.0 * 9 / 25, -20.0])
    assert one.position_cov_m2 == pytest.approx(np.eye(2) * 9 * 16 / 25)


def test_a_look_adds_information_to_position_and_velocity() -> None:
    """Information, the inverse of a covariance, adds up; the velocity follows the position."""
    before, place, noise = flying(), np.array([13.0, -15.0]), np.array([[9.0, 2.0], [2.0, 4.0]])
    told = np.zeros((4, 4))
    told[:2, :2] = np.linalg.inv(noise)
    cov = np.linalg.inv(np.linalg.inv(before.cov) + told)
    after = before.seen_at(place, noise)
    assert after.t_us == before.t_us
    assert after.cov == pytest.approx(cov)
    assert after.mean == pytest.approx(cov @ (np.linalg.inv(before.cov) @ before.mean + told[:, :2] @ place))
    assert before.mean == pytest.approx(flying().mean), "a track is a value: it stays"


def test_a_known_way_carries_the_position_and_becomes_the_speed() -> None:
    one = track(3.0).carried(2_000_000, np.array([24.0, -6.0]), np.diag([4.0, 1.0]))
    assert one.t_us == 2_000_000
    assert one.position_en_m == pytest.approx([34.0, -26.0])
    assert one.position_cov_m2 == pytest.approx(np.diag([9.0 + 4.0, 9.0 + 1.0]))
    assert one.mean[2:] == pytest.approx([12.0, -3.0])
    assert one.cov[2:, 2:] == pytest.approx(np.diag([1.0, 0.25]) + np.eye(2) * PSD * 2 / 3)
    assert one.predicted(4_000_000).position_en_m == pytest.approx([58.0, -32.0])


def test_narrowing_to_what_a_look_made_of_the_position_is_that_look() -> None:
    """Only the position's distribution is given; the velocity must come out as of the look itself."""
    before = flying(1)
    seen = before.seen_at(np.array([7.0, -24.0]), np.array([[2.0, -0.5], [-0.5, 6.0]]))
    narrowed = before.narrowed_to(seen.position_en_m, seen.position_cov_m2)
    assert narrowed.t_us == before.t_us
    assert narrowed.mean == pytest.approx(seen.mean)
    assert narrowed.cov == pytest.approx(seen.cov)
    assert before.narrowed_to(before.position_en_m, before.position_cov_m2).cov == pytest.approx(before.cov)


def test_another_origin_moves_the_position_alone() -> None:
    before = flying()
    after = before.about(np.array([-100.0, 40.0]))
    assert after.mean == pytest.approx([-90.0, 20.0, 5.0, 1.0])
    assert (after.t_us, after.cov.tolist()) == (before.t_us, before.cov.tolist())


def test_the_gate_measures_in_standard_deviations() -> None:
    assert track(3.0).distance2(np.array([10.0, -20.0 + 10.0]), np.eye(2) * 16.0) == pytest.approx(100 / 25)
    assert track(3.0).distance2(np.array([np.nan, 0.0]), np.eye(2)) != 0
    assert not track(3.0).distance2(np.array([np.nan, 0.0]), np.eye(2)) <= POSTERIOR.gate_99


def test_the_sigma_is_that_of_the_widest_direction() -> None:
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    cov = turn @ np.diag([4.0, 49.0]) @ turn.T
    assert replace(track(), cov=Track.at(0, np.zeros(2), cov).cov).sigma_m == pytest.approx(7.0)


steps = st.lists(
    st.tuples(
        st.floats(0.01, 20),
        st.sampled_from(["wait", "carry"]),
        st.sampled_from(["", "look", "narrow"]),
        st.floats(-50, 50),
        st.floats(0.1, 30),
    ),
    min_size=1,
    max_size=25,
)


@given(steps)
def test_the_covariance_stays_one_and_never_shrinks_without_a_measurement(
    flight: list[tuple[float, str, str, float, float]],
) -> None:
    one, t_us = track(), 0
    for dt, how, what, value, sigma in flight:
        before, noise = one.sigma_m, np.diag([sigma**2, 2 * sigma**2])
        t_us += round(dt * 1e6)
        one = one.predicted(t_us) if how == "wait" else one.carried(t_us, np.array([value, value]) * dt / 5, noise)
        assert one.sigma_m >= before
        if what == "look":
            one = one.seen_at(np.array([value, -value]), noise)
        if what == "narrow":
            one = one.narrowed_to(one.position_en_m + value / 10, one.position_cov_m2 / 2)
        assert one.cov == pytest.approx(one.cov.T)
        assert np.linalg.eigvalsh(one.cov)[0] > 0
        assert np.isfinite(one.mean).all()


def test_a_track_outlives_being_written() -> None:
    before = flying(2)
    after = Track.from_json(json.loads(json.dumps(before.to_json())))
    assert after.t_us == before.t_us
    assert (after.mean == before.mean).all() and (after.cov == before.cov).all(), "to the last bit"


@pytest.mark.parametrize("spoilt", [{"t_us": None}, {"mean": [1.0, 2.0]}, {"cov": [[1.0]]}, {"mean": "north"}])
def test_what_is_no_track_is_refused(spoilt: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Track.from_json({**flying().to_json(), **spoilt})
    with pytest.raises(KeyError):
        Track.from_json({})
