"""A few Gaussians stand for the whole map: compared with Bayes' rule cell by cell, and what they forget."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.locate.belief_limits import POSTERIOR
from runtime.locate.posterior import Evidence, Posterior
from runtime.locate.track import Track
from runtime.types import FloatArray
from tests.runtime.locate.bayes_grid import BayesGrid

SIDE_M = 800.0
STEP_M2 = np.eye(2) * 5.0**2
TILE_M2, FIX_M2 = np.eye(2) * 14.0**2, np.eye(2) * 6.0**2


def looks_like(places: FloatArray, probability: FloatArray, t_s: int = 0) -> Evidence:
    return Evidence(t_s * 1_000_000, places, probability, TILE_M2, 0.2)


def registered(place: FloatArray, t_s: int = 0, outlier_share: float = 0.02) -> Evidence:
    return Evidence(t_s * 1_000_000, place[None], np.ones(1), FIX_M2, outlier_share)


def anywhere() -> Posterior:
    return Posterior(SIDE_M**2)


def seen_twice(place: FloatArray) -> Posterior:
    begun = anywhere().with_registration(registered(place))
    return begun.carried(1_000_000, np.zeros(2), STEP_M2).with_registration(registered(place, 1))


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), found_share=st.sampled_from([0.4, 0.8]), flukes=st.sampled_from([0.0, 0.1]))
def test_it_believes_what_bayes_rule_believes_in_every_cell(seed: int, found_share: float, flukes: float) -> None:
    """Random flights: retrieval names the right tile among others, a registration comes now and then, or a fluke."""
    rng = np.random.default_rng(seed)
    place, velocity = rng.uniform(-150.0, 150.0, 2), rng.uniform(-12.0, 12.0, 2)
    posterior, grid = anywhere(), BayesGrid(SIDE_M)
    for t_s in range(10):
        if t_s:
            place = place + velocity
            posterior = posterior.carried(t_s * 1_000_000, velocity, STEP_M2)
            grid.carry(velocity, 25.0)
        others = rng.uniform(-350.0, 350.0, (5, 2))
        right = place + rng.normal(0.0, 14.0, 2)
        first = right if rng.random() < found_share else rng.uniform(-350.0, 350.0, 2)
        looks = looks_like(np.vstack([first, others]), np.array([0.5, 0.1, 0.1, 0.1, 0.05, 0.05]), t_s)
        posterior = posterior.with_retrieval(looks)
        grid.see(looks)
        if rng.random() < 0.4:
            fluke = rng.random() < flukes
            seen = registered(rng.uniform(-350.0, 350.0, 2) if fluke else place + rng.normal(0.0, 6.0, 2), t_s)
            inside = [one for one in posterior.placements if one.track.distance2(seen.position_en_m[0], FIX_M2) < 25.0]
            if any(one.track.distance2(seen.position_en_m[0], FIX_M2) > POSTERIOR.gate_99 for one in inside):
                continue  # beyond the gate a registration is of another place, which Bayes' rule does not know
            posterior = posterior.with_registration(seen)
            grid.see(seen)
        mode = posterior.mode()
        assert mode is not None
        probability, mean = grid.near(mode.track.position_en_m, 60.0)
        assert mode.probability == pytest.approx(probability, abs=0.12)
        if probability > 0.95:
            assert math.dist(mean, mode.track.position_en_m) < 0.5 * mode.track.sigma_m + 2.0


@given(seed=st.integers(0, 10_000))
def test_probabilities_sum_up_to_one_and_the_leader_is_the_most_probable(seed: int) -> None:
    rng = np.random.default_rng(seed)
    posterior = anywhere()
    for t_s in range(6):
        posterior = posterior.predicted(t_s * 1_000_000)
        share = rng.dirichlet(np.ones(30)) * 0.9
        posterior = posterior.with_retrieval(looks_like(rng.uniform(-400.0, 400.0, (30, 2)), share, t_s))
        total = posterior.elsewhere + sum(one.probability for one in posterior.placements)
        assert total == pytest.approx(1.0)
        assert posterior.elsewhere > 0.0
        assert len(posterior.placements) <= POSTERIOR.placements
        probabilities = [one.probability for one in posterior.placements]
        assert probabilities == sorted(probabilities, reverse=True)


def test_a_registration_outside_every_gate_silences_and_two_that_agree_take_over() -> None:
    here, there = np.array([0.0, 0.0]), np.array([300.0, 0.0])
    posterior = seen_twice(here)
    assert posterior.leader is not None
    assert posterior.leader.anchored
    once = posterior.carried(2_000_000, np.zeros(2), STEP_M2).with_registration(registered(there, 2))
    assert once.leader is not None
    assert once.leader.probability < 0.99, "neither is sure any more"
    twice = once.carried(3_000_000, np.zeros(2), STEP_M2).with_registration(registered(there, 3))
    assert twice.leader is not None
    assert twice.leader.probability > 0.99
    assert twice.leader.agreed == 2
    assert twice.leader.track.position_en_m == pytest.approx(there, abs=1.0)


def test_an_anchor_is_retired_by_a_run_of_frames_that_match_nothing_and_by_nothing_shorter() -> None:
    twice = seen_twice(np.zeros(2))
    assert twice.without_match().leader is not None
    posterior = twice.carried(2_000_000, np.zeros(2), STEP_M2).with_registration(registered(np.zeros(2), 2))
    short = twice.without_match().without_match().leader
    assert short is not None
    assert not short.anchored, "no longer a run than there were registrations"
    for k in range(POSTERIOR.unmatched_frames):
        assert posterior.leader is not None
        assert posterior.leader.anchored, k
        posterior = posterior.without_match()
    assert posterior.leader is not None
    assert not posterior.leader.anchored
    again = posterior.carried(3_000_000, np.zeros(2), STEP_M2).with_registration(registered(np.zeros(2), 3))
    assert again.leader is not None
    assert not again.leader.anchored, "one registration is not two"


def test_two_registrations_so_far_apart_in_time_that_anything_would_agree_are_no_agreement() -> None:
    posterior = anywhere().with_registration(registered(np.zeros(2)))
    later = posterior.predicted(12_000_000).with_registration(registered(np.array([100.0, 0.0]), 12))
    assert later.leader is not None
    assert not later.leader.anchored


def test_what_is_too_vague_is_no_place() -> None:
    posterior = seen_twice(np.zeros(2)).predicted(100_000_000)
    assert posterior.placements == ()
    assert posterior.elsewhere == pytest.approx(1.0)


def test_retrieval_moves_a_vague_track_and_not_a_precise_one() -> None:
    tile = looks_like(np.array([[40.0, 0.0]]), np.array([0.9]))
    vague = anywhere().with_start(Track.at(0, np.zeros(2), np.eye(2) * 40.0**2), 0.95).with_retrieval(tile)
    sharp = anywhere().with_start(Track.at(0, np.zeros(2), np.eye(2) * 2.0**2), 0.95).with_retrieval(tile)
    assert vague.leader is not None
    assert sharp.leader is not None
    assert vague.leader.track.position_en_m[0] > 30.0
    assert vague.leader.track.sigma_m < 40.0
    assert abs(sharp.leader.track.position_en_m[0]) < 2.0


def test_what_arises_beside_a_start_never_becomes_one_with_it() -> None:
    begun = anywhere().with_start(Track.at(0, np.zeros(2), np.eye(2) * 10.0**2), 0.95)
    seen = begun.with_registration(registered(np.array([1.0, 0.0])))
    assert [one.lineage for one in seen.placements] == ["start", "against the start"]
    settled = seen.without_lineages()
    assert {one.lineage for one in settled.placements} == {""}
    later = settled.with_retrieval(looks_like(np.array([[200.0, 0.0]]), np.array([0.9])))
    assert {one.lineage for one in later.placements} == {""}


def test_it_is_a_value_that_can_be_kept() -> None:
    posterior = seen_twice(np.array([3.0, 4.0])).with_retrieval(looks_like(np.array([[90.0, 9.0]]), np.array([0.5]), 1))
    kept = Posterior.from_json(json.loads(json.dumps(posterior.to_json())))
    assert kept.to_json() == posterior.to_json()
    assert kept.elsewhere == pytest.approx(posterior.elsewhere)
    moved = kept.about(np.array([10.0, 20.0]))
    assert moved.leader is not None
    assert kept.leader is not None
    assert moved.leader.track.position_en_m == pytest.approx(kept.leader.track.position_en_m + np.array([10.0, 20.0]))
