"""What is believed of a flight of registrations, and when it is said."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from runtime.locate.belief import Belief
from runtime.locate.belief_limits import BELIEF, POSTERIOR
from runtime.locate.limits import Limits
from runtime.locate.position import PositionEstimate, PositionMeasurement
from runtime.locate.posterior import Evidence, Posterior

UNKNOWN = np.array([math.nan, math.nan])
STILL = np.zeros(2)
STRONG, DOUBTFUL = POSTERIOR.strong_outlier_share, POSTERIOR.counting_outlier_share
AGREEING, WEAK = POSTERIOR.agreeing_outlier_share, BELIEF.weak_outlier_share
KNOWN_AXIS = np.eye(2)


def sighting(t_s: float, east_m: float, north_m: float = 0.0, share: float = STRONG) -> PositionMeasurement:
    return PositionMeasurement(round(t_s * 1e6), np.array([east_m, north_m]), np.eye(2) * 2.0**2, share)


def nothing_known(*, registers: bool = True) -> Belief:
    return Belief(Posterior(1000.0**2), registers=registers)


def flown(belief: Belief, *sightings: PositionMeasurement, velocity: np.ndarray = STILL) -> Belief:
    for one in sightings:
        belief = belief.moved(one.t_us, velocity, None).registering(one)
    return belief


def said(belief: Belief) -> PositionEstimate | None:
    return belief.from_registration(50)


def hovering() -> Belief:
    """Over the middle, seen from 3 s before 0 to 3 s after it, at a velocity that is told and right."""
    return flown(nothing_known(), *(sighting(t_s, 0.0) for t_s in range(-3, 4)))


def test_a_registration_beyond_doubt_is_said_alone_and_a_doubtful_one_waits_for_a_second() -> None:
    alone = said(flown(nothing_known(), sighting(0, 50.0)))
    assert alone is not None
    assert alone.source == "registration"
    once = flown(nothing_known(), sighting(0, 50.0, share=DOUBTFUL))
    assert said(once) is None
    twice = flown(once, sighting(1, 51.0, share=DOUBTFUL))
    assert said(twice) is not None


def test_weak_registrations_that_never_agree_are_never_said() -> None:
    belief, rng = nothing_known(), np.random.default_rng(0)
    for t_s in range(30):
        belief = flown(belief, sighting(t_s, *rng.uniform(-400.0, 400.0, 2), share=WEAK))
        assert said(belief) is None
        assert belief.unregistered(Limits(), KNOWN_AXIS) is None


def test_a_stranger_between_two_that_agree_does_not_matter_and_weak_ones_never_count() -> None:
    stranger = flown(nothing_known(), sighting(0, 50.0, share=DOUBTFUL), sighting(0.5, -400.0, share=WEAK))
    assert said(stranger) is None
    assert said(flown(stranger, sighting(1, 51.0, share=WEAK))) is None
    assert said(flown(stranger, sighting(1, 51.0, share=DOUBTFUL))) is not None
    for share in (WEAK, AGREEING):
        alone = flown(nothing_known(), *(sighting(t_s, 50.0, share=share) for t_s in range(10)))
        assert said(alone) is None, "of mirrored streets there are many in a row"
    assert said(flown(stranger, sighting(1, 51.0, share=AGREEING))) is not None, "it agrees with one that counts"
    tracked = flown(hovering(), sighting(4, 1.0, share=WEAK))
    assert said(tracked) is not None, "a track that others bear out vouches for it"


def test_a_jump_is_not_said_until_registrations_say_otherwise() -> None:
    jumped = flown(hovering(), sighting(4, 400.0))
    assert said(jumped) is None
    again = flown(jumped, sighting(5, 401.0))
    where = said(again)
    assert where is not None
    assert where.position_en_m == pytest.approx([401.0, 0.0], abs=2.0)
    doubtful = flown(hovering(), sighting(4, 400.0, share=DOUBTFUL))
    back = flown(doubtful, sighting(5, 0.5))
    where = said(back)
    assert where is not None, "one fluke is forgotten"
    assert abs(where.position_en_m[0]) < 2.0


def test_reckoning_speaks_after_two_registrations_and_not_after_one() -> None:
    once = flown(nothing_known(), sighting(0, 0.0)).moved(1_000_000, STILL, None)
    assert once.unregistered(Limits(), None) is None
    twice = hovering().moved(4_000_000, STILL, None)
    where = twice.unregistered(Limits(), None)
    assert where is not None
    assert where.source == "dead_reckoning"
    assert where.anchored_us == 3_000_000


def test_reckoning_falls_silent_when_ground_is_seen_that_matches_nothing() -> None:
    belief = hovering()
    for k in range(1, POSTERIOR.unmatched_frames + 1):
        belief = belief.moved((3 + k) * 1_000_000, STILL, None).unmatched()
        spoken = belief.unregistered(Limits(), None) is not None
        assert spoken is (k < POSTERIOR.unmatched_frames)
    once = flown(belief, sighting(9, 0.0, share=DOUBTFUL))
    assert once.moved(10_000_000, STILL, None).unregistered(Limits(), None) is None, "one does not bring it back"
    twice = flown(once, sighting(10, 0.0, share=DOUBTFUL))
    assert twice.moved(11_000_000, STILL, None).unregistered(Limits(), None) is not None


def test_after_a_run_without_a_match_one_registration_is_said_where_the_retired_place_expects_it() -> None:
    belief = hovering()
    for t_s in (4, 5, 6):
        belief = belief.moved(t_s * 1_000_000, STILL, None).unmatched()
    where = said(flown(belief, sighting(7, 3.0, share=DOUBTFUL)))
    assert where is not None
    assert where.source == "registration"
    assert said(flown(belief, sighting(7, 300.0, share=DOUBTFUL))) is None, "a stranger"
    assert said(flown(belief, sighting(7, 3.0, share=WEAK))) is None, "a weak one"
    assert said(flown(belief, sighting(7, 3.0, share=AGREEING))) is None, "a weak one that the encoder names"
    wide = belief.moved(16_000_000, UNKNOWN, None)
    leader = wide.posterior.leader
    assert leader is not None
    assert leader.retired
    assert leader.track.sigma_m > BELIEF.looked_at_sigma_m
    assert said(flown(wide, sighting(17, 3.0, share=DOUBTFUL))) is None, "it expects it anywhere"
    weak_before = flown(belief, sighting(7, 30.0, share=WEAK), sighting(8, 30.0, share=AGREEING))
    assert said(weak_before) is None, "two weak ones in a row, as of mirrored streets"


def test_a_blackout_is_bridged_for_a_while_with_growing_uncertainty() -> None:
    belief, sigmas = hovering(), []
    for t_s in range(4, 60):
        belief = belief.moved(t_s * 1_000_000, UNKNOWN, None)
        where = belief.unregistered(Limits(), None)
        sigmas.append(math.inf if where is None else where.sigma_m)
    assert sigmas[0] < 20.0
    assert sigmas == sorted(sigmas)
    assert sigmas[-1] == math.inf


@pytest.mark.parametrize(("off_m", "contradicted"), [(5.0, False), (60.0, True), (300.0, True)])
def test_a_start_that_the_map_contradicts_far_beyond_its_radius_is_never_overruled(
    off_m: float, *, contradicted: bool
) -> None:
    belief = nothing_known().with_start(0, np.zeros(2), 10.0)
    for t_s in range(20):
        belief = flown(belief, sighting(t_s, off_m))
        assert (said(belief) is None) is contradicted
        assert belief.start_contradicted is contradicted
    assert belief.start == ("contradicted" if contradicted else "confirmed")


def test_a_contradicted_start_is_not_forgotten_over_a_gap_and_an_unseen_one_is() -> None:
    against = flown(nothing_known().with_start(0, np.zeros(2), 10.0), sighting(1, 300.0), velocity=UNKNOWN)
    later = flown(against, sighting(100, 300.0), sighting(101, 300.0), velocity=UNKNOWN)
    assert later.start == "contradicted"
    assert said(later) is None
    unseen = nothing_known().with_start(0, np.zeros(2), 10.0).moved(100_000_000, UNKNOWN, None)
    assert unseen.start == "none"
    assert said(flown(unseen, sighting(101, 300.0), velocity=UNKNOWN)) is not None


def test_one_fluke_beside_a_right_start_does_not_silence_it_for_ever() -> None:
    begun = nothing_known().with_start(0, np.zeros(2), 10.0)
    fluke = flown(begun, sighting(0, 400.0, share=DOUBTFUL))
    right = flown(fluke, sighting(1, 1.0), sighting(2, 1.0))
    assert right.start == "confirmed"
    assert said(right) is not None


def test_no_step_is_said_that_no_drone_makes_unless_a_loss_was_said_before() -> None:
    here = PositionEstimate(0, "registration", np.zeros(2), np.eye(2), 0, 50)
    far = replace(here, t_us=1_000_000, position_en_m=np.array([200.0, 0.0]))
    near = replace(far, position_en_m=np.array([25.0, 0.0]))
    belief, first = nothing_known().saying(here)
    assert first is here
    _, spoken = belief.saying(near)
    assert spoken is near
    lost, spoken = belief.saying(far)
    assert spoken is None
    _, spoken = lost.saying(far)
    assert spoken is far


def retrieve(belief: Belief, t_s: int, east_m: float, cosine: float) -> Belief:
    """A frame looks like one place of the map, and for the rest like nothing."""
    belief = belief.moved(t_s * 1_000_000, STILL, None)
    seen = Evidence(t_s * 1_000_000, np.array([[east_m, 0.0]]), np.array([0.6]), np.eye(2) * 12.0**2, 0.2)
    return belief.retrieved(seen, cosine)


@pytest.mark.parametrize(("cosine", "heard"), [(0.55, False), (0.7, True)])
def test_alone_retrieval_vouches_for_itself_by_how_like_the_map_looks(cosine: float, *, heard: bool) -> None:
    belief = nothing_known(registers=False)
    for t_s in range(6):
        belief = retrieve(belief, t_s, -100.0, cosine)
    where = belief.unregistered(Limits(), KNOWN_AXIS)
    assert (where is not None) is heard
    if where is not None:
        assert where.source == "retrieval"
        assert where.position_en_m == pytest.approx([-100.0, 0.0], abs=5.0)
        assert belief.unregistered(Limits(), None) is None, "without a look it says nothing of now"
        assert belief.unregistered(Limits(), KNOWN_AXIS * 30.0**2) is None, "the way to the ground is too uncertain"


def test_where_registrations_are_made_retrieval_is_not_heard_before_two_agree() -> None:
    belief = nothing_known()
    for t_s in range(6):
        belief = retrieve(belief, t_s, 200.0, 0.9)
        assert belief.unregistered(Limits(), KNOWN_AXIS) is None, "a wrong map has likest tiles too"


def test_two_registrations_that_contradict_the_velocity_silence_it() -> None:
    east = np.array([12.0, 0.0])
    true = flown(nothing_known(), *(sighting(t_s, 12.0 * t_s) for t_s in range(6)), velocity=east)
    assert not true.velocity.ignored
    lied = flown(nothing_known(), *(sighting(t_s, -12.0 * t_s) for t_s in range(6)), velocity=east)
    assert lied.velocity.ignored
    where = said(lied)
    assert where is not None
    assert where.position_en_m == pytest.approx([-60.0, 0.0], abs=3.0)


def test_it_is_a_value_that_can_be_kept_and_goes_on_the_same() -> None:
    belief = hovering()
    kept = Belief.from_json(json.loads(json.dumps(belief.to_json())))
    assert kept.to_json() == belief.to_json()
    a, b = (flown(one, sighting(4, 1.0)) for one in (belief, kept))
    assert a.to_json() == b.to_json()
    moved = kept.about(np.array([100.0, 0.0]))
    assert moved.posterior.leader is not None
    assert moved.posterior.leader.track.position_en_m == pytest.approx([100.0, 0.0], abs=2.0)


def test_a_weak_registration_is_said_where_one_beyond_doubt_expected_it_and_bears_nothing_else_out() -> None:
    belief = flown(nothing_known(), sighting(0, 50.0), sighting(1, 51.0, share=WEAK))
    assert said(belief) is not None
    assert belief.moved(2_000_000, STILL, None).unregistered(Limits(), None) is None, "reckoning wants two that count"
