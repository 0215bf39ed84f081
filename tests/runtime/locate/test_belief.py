"""What is believed of a flight of sightings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.locate.belief import Belief, PositionMeasurement
from runtime.locate.limits import BELIEF, Limits
from runtime.locate.place_grid import PlaceGrid, TileLikelihood
from runtime.locate.track import Track
from runtime.model.score_map import ScoreMap

STILL = np.array([0.0, 0.0])


def sighting(
    t_s: float, east_m: float, north_m: float = 0.0, sigma_m: float = 2.0, *, strong: bool = True
) -> PositionMeasurement:
    return PositionMeasurement(round(t_s * 1e6), np.array([east_m, north_m]), np.eye(2) * sigma_m**2, strong)


def believing(track: Track | None = None, *, registers: bool = True) -> Belief:
    return Belief(PlaceGrid(np.full(2, -500.0), np.full(2, 500.0)), track, registers=registers)


def tight() -> Belief:
    """Hovering over the middle, seen four times."""
    belief = believing()
    for t_s in range(4):
        belief.predict(t_s * 1_000_000, STILL)
        assert belief.weigh(sighting(t_s, 0.0))
    assert belief.sigma_m < BELIEF.vouching_sigma_m
    return belief


def test_weak_sightings_that_never_agree_are_never_believed() -> None:
    belief, rng = believing(), np.random.default_rng(0)
    for t_s in range(40):
        east = 1000.0 * t_s * (-1) ** t_s + rng.normal()  # each far from every other
        belief.predict(t_s * 1_000_000, STILL)
        assert not belief.weigh(sighting(t_s, east, strong=False))
    assert belief.track is None
    assert belief.anchored_us is None
    assert belief.sigma_m == math.inf


def test_a_strong_sighting_starts_a_track_alone() -> None:
    belief = believing()
    assert belief.weigh(sighting(1, 50.0))
    assert belief.track is not None
    assert belief.track.position_en_m == pytest.approx([50.0, 0.0])
    assert belief.anchored_us == 1_000_000


def test_two_weak_sightings_that_agree_start_a_track_and_a_stranger_between_them_does_not_matter() -> None:
    belief = believing()
    assert not belief.weigh(sighting(0, 50.0, strong=False))
    assert not belief.weigh(sighting(0.5, -900.0, strong=False))
    assert belief.weigh(sighting(1, 54.0, strong=False))
    assert belief.track is not None


def test_weak_sightings_so_vague_or_so_far_apart_in_time_that_anything_would_agree_confirm_nothing() -> None:
    vague, late = believing(), believing()
    for t_s in (0, 1):
        assert not vague.weigh(sighting(t_s, 0.0, sigma_m=120.0, strong=False))
    for t_s in (0, 30):
        assert not late.weigh(sighting(t_s, 0.0, strong=False))


def test_a_jump_is_refused_until_a_second_one_agrees() -> None:
    belief = tight()
    belief.predict(4_000_000, STILL)
    assert not belief.weigh(sighting(4, 400.0))
    assert belief.track is not None
    assert belief.track.position_en_m == pytest.approx([0.0, 0.0], abs=1.0)
    belief.predict(5_000_000, STILL)
    assert belief.weigh(sighting(5, 405.0))
    assert belief.track.position_en_m == pytest.approx([405.0, 0.0])
    assert belief.anchored_us == 5_000_000


def test_a_single_jump_is_forgotten_when_the_track_is_seen_again() -> None:
    belief = tight()
    for t_s, east, believed in ((4, 400.0, False), (5, 0.5, True), (6, 402.0, False), (7, 0.0, True)):
        belief.predict(t_s * 1_000_000, STILL)
        assert belief.weigh(sighting(t_s, east)) is believed


def test_a_tight_track_vouches_for_a_weak_sighting_and_a_wide_one_does_not() -> None:
    belief = tight()
    belief.predict(4_000_000, STILL)
    assert belief.weigh(sighting(4, 1.0, strong=False))
    wide = believing(Track(0, np.zeros(2), np.eye(2) * (3 * BELIEF.vouching_sigma_m) ** 2))
    assert not wide.weigh(sighting(0, 1.0, strong=False))
    assert wide.anchored_us is None


def test_a_strong_sighting_narrows_a_start_that_somebody_vouched_for() -> None:
    belief = believing(Track(0, np.zeros(2), np.eye(2) * 100.0**2))
    assert belief.weigh(sighting(0, 80.0))
    assert belief.track is not None
    assert belief.track.position_en_m == pytest.approx([80.0, 0.0], abs=1.0)


def test_a_wrong_start_is_left_when_two_sightings_agree() -> None:
    belief = believing(Track(0, np.zeros(2), np.eye(2) * 50.0**2))
    assert not belief.weigh(sighting(0, 5000.0))
    belief.predict(1_000_000, np.array([math.nan, math.nan]))
    assert belief.weigh(sighting(1, 5010.0))


def test_an_unknown_velocity_changes_nothing() -> None:
    belief, other = tight(), tight()
    belief.predict(4_000_000, np.array([math.nan, 3.0]))
    assert other.track is not None
    assert belief.track is not None
    other.track.predict(4_000_000)
    assert belief.track.mean == pytest.approx(other.track.mean)


TILES = np.stack(np.meshgrid(np.arange(-490.0, 491.0, 16.0), np.arange(-490.0, 491.0, 16.0)), axis=2).reshape(-1, 2)
KNOWN_AXIS = np.eye(2)


def retrieve(belief: Belief, t_s: int, east_m: float, cosine: float) -> None:
    """A frame looks like one place of the map, and for the rest like nothing."""
    if t_s:
        belief.carry(t_s * 1_000_000, np.zeros(2), np.eye(2))
    else:
        belief.predict(0, STILL)
    near = np.linalg.norm(TILES - np.array([east_m, 0.0]), axis=1) < 15.0
    score = TileLikelihood(TILES, np.where(near, cosine / 0.03, 0.2 / 0.03).astype(np.float32), (0.0, 0.0), 64.0, 16.0)
    belief.see_retrieval([score], ScoreMap(0.03, 0.2), 60.0)


def test_retrieval_is_heard_once_a_registration_has_shown_that_the_map_is_right() -> None:
    limits, belief, never = Limits(), believing(), believing()
    for t_s in range(5):
        retrieve(never, t_s, 200.0, 0.5)
        assert never.unregistered(limits, KNOWN_AXIS) is None, "a wrong map has likest tiles too"
    belief.predict(0, STILL)
    assert belief.weigh(sighting(0, 0.0))
    belief.predict(60_000_000, np.array([math.nan, math.nan]))
    assert belief.unregistered(limits, KNOWN_AXIS) is None, "a minute later nothing is known"
    for t_s in range(61, 66):
        retrieve(belief, t_s, 200.0, 0.5)
    where = belief.unregistered(limits, KNOWN_AXIS)
    assert where is not None
    assert where.source == "retrieval"
    assert where.anchored_us == 65_000_000
    assert where.position_en_m == pytest.approx([200.0, 0.0], abs=5.0)
    assert belief.unregistered(limits, None) is None, "without a look it says nothing of now"
    assert belief.unregistered(limits, KNOWN_AXIS * 30.0**2) is None, "the way to the ground is too uncertain"


@pytest.mark.parametrize(("cosine", "heard"), [(0.55, False), (0.7, True)])
def test_alone_retrieval_vouches_for_itself_by_how_like_the_map_looks(cosine: float, *, heard: bool) -> None:
    belief = believing(registers=False)
    for t_s in range(6):
        retrieve(belief, t_s, -100.0, cosine)
    assert (belief.unregistered(Limits(), KNOWN_AXIS) is not None) is heard


def test_of_a_track_and_retrieval_the_tighter_is_said() -> None:
    belief = tight()
    where = belief.unregistered(Limits(), KNOWN_AXIS)
    assert where is not None
    assert where.source == "dead_reckoning"
    assert where.sigma_m == pytest.approx(belief.sigma_m)
