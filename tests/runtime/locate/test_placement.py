"""Placements: merged by their moments, carried with their past, kept to the last bit."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from runtime.locate.belief_limits import BELIEF, POSTERIOR
from runtime.locate.placement import Placement, merged
from runtime.locate.posterior import Evidence, Posterior
from runtime.locate.track import Track
from runtime.types import FloatArray

T_US = 7_000_000


def placement(seed: int, probability: float) -> Placement:
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(4, 4))
    return Placement(Track(T_US, rng.normal(0.0, 9.0, 4), half @ half.T + np.eye(4)), probability)


def same(a: Placement, b: Placement) -> bool:
    rest = [field.name for field in fields(Placement) if field.name != "track"]
    tracks = (
        a.track.t_us == b.track.t_us and (a.track.mean == b.track.mean).all() and (a.track.cov == b.track.cov).all()
    )
    return bool(tracks) and all(getattr(a, name) == getattr(b, name) for name in rest)


@pytest.mark.parametrize(("p", "q"), [(0.3, 0.1), (0.1, 0.3), (0.2, 0.2), (0.4, 0.0)])
def test_two_that_are_merged_keep_the_moments_of_both(p: float, q: float) -> None:
    """A mixture's mean square is the mean of the parts' mean squares."""
    a, b = placement(1, p), placement(2, q)
    both = merged(a, b)

    def square(track: Track) -> FloatArray:
        return np.asarray(track.cov + np.outer(track.mean, track.mean))

    assert both.probability == pytest.approx(p + q)
    assert both.track.mean == pytest.approx((p * a.track.mean + q * b.track.mean) / (p + q))
    assert square(both.track) == pytest.approx((p * square(a.track) + q * square(b.track)) / (p + q))


def test_the_past_is_that_of_the_more_probable_one() -> None:
    known = replace(placement(1, 0.3), agreed=3, anchored_us=5_000_000, unmatched=2, lineage="start")
    for both in (merged(known, placement(2, 0.1)), merged(placement(2, 0.1), known)):
        assert (both.agreed, both.anchored_us, both.unmatched, both.lineage) == (3, 5_000_000, 2, "start")
    assert merged(known, placement(2, 0.31)).agreed == 0


def test_improbable_ones_can_be_merged() -> None:
    none = merged(placement(1, 0.0), placement(2, 0.0))
    assert none.probability == 0.0
    assert np.isfinite(none.track.mean).all()


@pytest.mark.parametrize(
    ("agreed", "anchored_us", "anchored"), [(2, T_US, True), (5, T_US, True), (1, T_US, False), (2, None, False)]
)
def test_one_is_anchored_by_two_registrations_that_agree(
    agreed: int, anchored_us: int | None, *, anchored: bool
) -> None:
    assert replace(placement(1, 0.5), agreed=agreed, anchored_us=anchored_us).anchored is anchored


@pytest.mark.parametrize(
    ("past", "unmatched", "agreed", "retired"),
    [
        ({"agreed": 5, "strong": True}, 2, 5, False),
        ({"agreed": 5, "strong": True}, 3, 0, True),
        ({"agreed": 1}, 1, 0, True),
        ({"agreed": 0}, 1, 0, False),
        ({"agreed": 0, "retired": True}, 9, 0, True),
    ],
)
def test_a_run_without_a_match_retires_what_it_rests_on(
    past: dict[str, bool], unmatched: int, agreed: int, *, retired: bool
) -> None:
    one = replace(placement(1, 0.995), anchored_us=T_US, **past)
    for _ in range(unmatched):
        one = one.without_match()
    assert (one.unmatched, one.agreed, one.strong, one.retired) == (unmatched, agreed, agreed == 5, retired)
    assert one.is_looked_at is (agreed > 0 or retired)
    assert one.borne_out is (agreed > 0)
    assert replace(one, agreed=1).borne_out is (retired or agreed > 0)
    assert not replace(one, probability=0.9).is_looked_at


AGREEING, COUNTING = POSTERIOR.agreeing_outlier_share, POSTERIOR.counting_outlier_share
STRONG, WEAK = POSTERIOR.strong_outlier_share, BELIEF.weak_outlier_share
TELLING, VAGUE = POSTERIOR.telling_density, POSTERIOR.telling_density - 1.0


@pytest.mark.parametrize(
    ("past", "sigma_m", "share", "density", "comes_to"),
    [
        ({}, 5.0, COUNTING, TELLING, (1, False, False)),
        ({}, 5.0, STRONG, TELLING, (1, False, True)),
        ({}, 5.0, AGREEING, TELLING, (0, False, False)),  # weak ones begin nothing
        ({"agreed": 1}, 5.0, AGREEING, TELLING, (2, False, True)),
        ({"agreed": 1}, 5.0, WEAK, TELLING, (1, False, False)),
        ({"agreed": 1}, 5.0, COUNTING, VAGUE, (1, False, False)),  # it lay where anything would have
        ({"agreed": 1, "lineage": "start"}, 5.0, AGREEING, TELLING, (1, False, False)),
        ({"agreed": 1, "lineage": "start"}, 5.0, COUNTING, TELLING, (2, False, True)),
        ({"retired": True}, 5.0, COUNTING, TELLING, (1, True, True)),
        ({"retired": True}, 5.0, AGREEING, TELLING, (0, True, False)),
        ({"retired": True}, 5.0, COUNTING, VAGUE, (1, False, False)),
        ({"retired": True}, 2 * BELIEF.looked_at_sigma_m, COUNTING, TELLING, (1, False, False)),
        ({"retired": True, "agreed": 1}, 5.0, COUNTING, VAGUE, (1, True, True)),
    ],
)
def test_what_a_registration_adds_depends_on_how_sure_it_is_and_on_what_was_before(
    past: dict[str, Any], sigma_m: float, share: float, density: float, comes_to: tuple[int, bool, bool]
) -> None:
    before = replace(placement(1, 0.995), anchored_us=T_US, **past)
    before = replace(before, track=Track.at(T_US, np.zeros(2), np.eye(2) * sigma_m**2))
    after = before.registered(T_US, before.track, share, density)
    assert (after.agreed, after.retired, after.borne_out) == comes_to


def test_a_weak_registration_does_not_move_what_is_forgotten() -> None:
    before = replace(placement(1, 0.995), anchored_us=T_US, retired=True, unmatched=4)
    elsewhere = Track.at(T_US, np.array([47.0, 0.0]), np.eye(2))
    for share, moves in ((WEAK, False), (AGREEING, False), (COUNTING, True)):
        after = before.registered(T_US, elsewhere, share, TELLING)
        assert (after.track is elsewhere) is moves
        assert (after.unmatched == 0) is moves


def test_a_start_that_nothing_was_registered_at_is_not_remembered_as_a_place() -> None:
    told = replace(placement(1, 0.995), agreed=1, anchored_us=None, lineage="start")
    assert not told.without_match().retired


def test_motion_carries_the_track_and_leaves_the_past() -> None:
    before = replace(placement(3, 0.5), agreed=2, anchored_us=T_US, unmatched=1, lineage="against the start")
    shift, cov = np.array([20.0, -5.0]), np.eye(2) * 4.0
    for after, track in (
        (before.carried(9_000_000, shift, cov), before.track.carried(9_000_000, shift, cov)),
        (before.predicted(9_000_000), before.track.predicted(9_000_000)),
    ):
        assert same(after, replace(before, track=track))


def test_a_placement_outlives_being_written() -> None:
    told = replace(
        placement(4, 0.1 + 0.2), agreed=2, anchored_us=T_US, unmatched=3, retired=True, lineage="against the start"
    )
    for before in (placement(5, 1 / 3), told):
        assert same(Placement.from_json(json.loads(json.dumps(before.to_json()))), before)
    cases: list[dict[str, object]] = [{"track": {}}, {"probability": None}, {"agreed": "two"}]
    for spoilt in cases:
        with pytest.raises((KeyError, TypeError, ValueError)):
            Placement.from_json({**told.to_json(), **spoilt})


def flown(*, started: bool) -> Posterior:
    """A few frames: what they look like, and one that was registered."""
    posterior, rng = Posterior(4e6), np.random.default_rng(0)
    if started:
        posterior = posterior.with_start(Track.at(0, np.array([5.0, 5.0]), np.eye(2) * 400.0), 0.95)
    for k in range(4):
        t_us = (k + 1) * 2_000_000
        posterior = posterior.carried(t_us, np.array([20.0, 3.0]), np.eye(2) * 9.0)
        places, shares = rng.uniform(-900.0, 900.0, (6, 2)), rng.dirichlet(np.ones(7))[:6]
        posterior = posterior.with_retrieval(Evidence(t_us, places, shares, np.eye(2) * 200.0, 0.2))
    here = Evidence(t_us, np.array([[90.0, 10.0]]), np.ones(1), np.eye(2) * 4.0, 0.02)
    return posterior.with_registration(here).without_match()


@pytest.mark.parametrize("started", [True, False])
def test_a_posterior_outlives_being_written(*, started: bool) -> None:
    before = flown(started=started)
    after = Posterior.from_json(json.loads(json.dumps(before.to_json())))
    assert len(before.placements) > 5
    assert len(after.placements) == len(before.placements)
    assert all(same(a, b) for a, b in zip(after.placements, before.placements, strict=True))
    assert (after.area_m2, after.elsewhere, after.births) == (before.area_m2, before.elsewhere, before.births)
    assert {one.lineage for one in after.placements} == ({"start", "against the start"} if started else {""})
    seen = Evidence(12_000_000, np.array([[90.0, 10.0]]), np.ones(1), np.eye(2) * 4.0, 0.02)
    goes_on = [one.predicted(12_000_000).with_registration(seen).leader for one in (before, after)]
    assert goes_on[0] is not None
    assert goes_on[1] is not None
    assert same(goes_on[0], goes_on[1])


def test_an_empty_posterior_outlives_being_written_and_another_value_is_refused() -> None:
    empty = Posterior(1e6)
    assert Posterior.from_json(json.loads(json.dumps(empty.to_json()))) == empty
    cases: list[dict[str, object]] = [{"placements": [{}]}, {"placements": None}, {"area_m2": "large"}]
    for spoilt in cases:
        with pytest.raises((KeyError, TypeError, ValueError)):
            Posterior.from_json({**empty.to_json(), **spoilt})
