"""What a told velocity is worth, on simulated flights: it may lie, and a shift that is taken in must not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pytest

from runtime.locate.belief_limits import MOTION
from runtime.locate.motion import Shift, ToldWay, VelocityTrust, shift_of
from runtime.types import FloatArray

SPEED_MPS, STEP_S, STEPS, SIGMA_M = 12.0, 2.0, 30, 2.0
PROTECTED = 3.72  # standard deviations, as of a protection level

Lie = Callable[[FloatArray], FloatArray]
LIES: dict[str, Lie] = {
    "zero": lambda v: 0.0 * v,
    "negated": lambda v: -v,
    "five times": lambda v: 5.0 * v,
    "knots": lambda v: v / 0.514444,
    "north as east": lambda v: v[::-1],
    "north as south": lambda v: v * np.array([1.0, -1.0]),
}


def truthful(velocity: FloatArray) -> FloatArray:
    return velocity


def place(t: float, radius_m: float) -> FloatArray:
    """Where the drone is on a figure of eight: two circles that touch, flown one after the other."""
    lap, angle = divmod(SPEED_MPS * t / radius_m, 2 * math.pi)
    side = 1.0 if lap % 2 == 0 else -1.0
    return np.array([side * radius_m * (1.0 - math.cos(angle)), radius_m * math.sin(angle)])


def velocity(t: float, radius_m: float) -> FloatArray:
    lap, angle = divmod(SPEED_MPS * t / radius_m, 2 * math.pi)
    side = 1.0 if lap % 2 == 0 else -1.0
    return SPEED_MPS * np.array([side * math.sin(angle), math.cos(angle)])


@dataclass(frozen=True)
class Step:
    """A step of a simulated flight: what was predicted of it, and what the trust was before and is after it."""

    before: VelocityTrust
    shift: Shift | None
    true_en_m: FloatArray
    registered: bool
    after: VelocityTrust


def fly(
    lie_at: Callable[[int], Lie], every: int, seed: int, *, radius_m: float = 100.0, steps: int = STEPS
) -> Iterator[Step]:
    """Fly a figure of eight with a registration every so many steps, and a lie for each step."""
    rng, trust, told = np.random.default_rng(seed), VelocityTrust.unproven(), ToldWay()
    last = place(0.0, radius_m) + rng.normal(0.0, SIGMA_M, 2)
    for k in range(steps):
        start_s, end_s = k * STEP_S, (k + 1) * STEP_S
        told_en_mps = [lie_at(k)(velocity(t, radius_m)) for t in (start_s, end_s)]
        way, before = ToldWay.between(STEP_S, *told_en_mps), trust
        shift, told, registered = before.shift(way, told), told.then(way), (k + 1) % every == 0
        if registered:
            here = place(end_s, radius_m) + rng.normal(0.0, SIGMA_M, 2)
            trust = before.checked(told, Shift(here - last, np.eye(2) * 2 * SIGMA_M**2))
            last, told = here, ToldWay()
        yield Step(before, shift, place(end_s, radius_m) - place(start_s, radius_m), registered, trust)


def off_sigmas(off_m: FloatArray, cov_m2: FloatArray) -> float:
    return math.sqrt(float(off_m @ np.linalg.solve(cov_m2, off_m)))


def worst_sigmas(flight: Iterator[Step]) -> tuple[float, float, int]:
    """How far off the predictions are at most, a step and from a registration on, and how many there are."""
    worst_step, worst_way, predicted = 0.0, 0.0, 0
    off_m, cov_m2 = np.zeros(2), np.zeros((2, 2))
    for step in flight:
        if step.shift is not None:
            predicted += 1
            off_m, cov_m2 = off_m + step.shift.en_m - step.true_en_m, cov_m2 + step.shift.cov_m2
            worst_step = max(worst_step, off_sigmas(step.shift.en_m - step.true_en_m, step.shift.cov_m2))
            worst_way = max(worst_way, off_sigmas(off_m, cov_m2))
        if step.registered:
            off_m, cov_m2 = np.zeros(2), np.zeros((2, 2))
    return worst_step, worst_way, predicted


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("lie", LIES)
def test_no_lie_takes_a_shift_out_of_what_it_claims(lie: str, every: int, seed: int) -> None:
    worst_step, worst_way, predicted = worst_sigmas(fly(lambda k: LIES[lie], every, seed))
    assert predicted >= 2 * every, "until it is ignored it is predicted by"
    assert worst_step <= PROTECTED
    assert worst_way <= PROTECTED, "summed up since the last registration, as a track sums them up"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius_m", [40.0, 60.0])
def test_no_velocity_of_zero_takes_a_shift_out_of_what_it_claims_in_a_tight_turn(radius_m: float, seed: int) -> None:
    """A drone that says that it stands still is found to fly one way, and turns at 3.6 and 2.4 m/s^2."""
    worst_step, worst_way, _ = worst_sigmas(fly(lambda k: LIES["zero"], 3, seed, radius_m=radius_m))
    assert worst_step <= PROTECTED
    assert worst_way <= PROTECTED


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("every", [1, 3])
def test_a_truthful_velocity_is_borne_out_and_its_shifts_become_narrow(every: int, seed: int) -> None:
    flight = list(fly(lambda k: truthful, every, seed, steps=60))
    assert worst_sigmas(iter(flight))[0] <= PROTECTED
    assert not any(step.after.ignored or step.after.contradicted for step in flight)
    assert flight[-1].after.borne_out >= MOTION.borne_out
    first, last = flight[0].shift, flight[-1].shift
    assert first is not None
    assert last is not None
    own_m2 = ToldWay.between(STEP_S, np.ones(2), np.ones(2)).variance_m2
    assert first.cov_m2[0, 0] > 400.0
    assert own_m2 < last.cov_m2[0, 0] < first.cov_m2[0, 0] / 5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("every", [1, 3])
def test_a_negated_velocity_is_ignored_after_two_checks(every: int, seed: int) -> None:
    flight = list(fly(lambda k: LIES["negated"], every, seed))
    checks = [step.after for step in flight if step.registered]
    assert [check.ignored for check in checks] == [False] + [True] * (len(checks) - 1)
    assert [check.contradicted for check in checks[:2]] == [1, 2]
    assert [step.shift is None for step in flight] == [k >= 2 * every for k in range(STEPS)]


@pytest.mark.parametrize("seed", range(5))
def test_a_velocity_that_becomes_right_is_heard_again_after_three_checks(seed: int) -> None:
    mended = 10
    flight = list(fly(lambda k: LIES["negated"] if k < mended else truthful, 1, seed))
    ignored = [step.after.ignored for step in flight]
    assert ignored == [False] + [True] * (mended + 1) + [False] * (STEPS - mended - 2)
    checks = MOTION.heard_again // 2  # over ways that tell
    assert flight[mended + checks - 1].shift is None
    heard = iter(flight[mended + checks :])
    worst_step, worst_way, predicted = worst_sigmas(heard)
    assert predicted == STEPS - mended - checks
    assert max(worst_step, worst_way) <= PROTECTED


def test_short_ways_bear_out_half_as_much() -> None:
    """A drone that hovers: zero, negated or right, its velocity is the same."""
    trust, way = VelocityTrust.unproven(), ToldWay.between(1.0, np.array([0.5, 0.0]), np.array([0.5, 0.0]))
    for check in range(1, 6):
        trust = trust.checked(way, Shift(np.array([0.5, 0.0]), np.eye(2) * 8.0))
        assert (trust.borne_out, trust.contradicted, trust.ignored) == (check, 0, False)


@pytest.mark.parametrize("seconds", [0.2, 2.0, 20.0])
@pytest.mark.parametrize("speed_mps", [1.0, 12.0, 30.0])
def test_before_anything_is_borne_out_the_opposite_is_possible(speed_mps: float, seconds: float) -> None:
    told = speed_mps * np.array([math.cos(1.0), math.sin(1.0)])
    shift = VelocityTrust.unproven().shift(ToldWay.between(seconds, told, told), ToldWay())
    assert shift is not None
    assert shift.en_m == pytest.approx(told * seconds)
    assert off_sigmas(shift.en_m + told * seconds, shift.cov_m2) <= PROTECTED


def test_on_the_way_back_the_opposite_is_possible_as_well() -> None:
    """Out and back the errors cancel out; of the way back alone they do not."""
    out, back = (ToldWay.between(STEP_S, v, v) for v in (np.array([30.0, 0.0]), np.array([-30.0, 0.0])))
    shift = VelocityTrust.unproven().shift(back, out)
    assert shift is not None
    assert off_sigmas(2 * np.array(back.en_m), shift.cov_m2) <= PROTECTED


def test_a_direction_that_was_not_flown_yet_is_still_unknown() -> None:
    """Due north a velocity was right; its east may be negated."""
    north, east = (ToldWay.between(STEP_S, v, v) for v in (np.array([0.0, SPEED_MPS]), np.array([SPEED_MPS, 0.0])))
    trust = VelocityTrust.unproven()
    for _ in range(6):
        trust = trust.checked(north, Shift(np.array(north.en_m), np.eye(2) * 8.0))
    known, unknown = trust.shift(north, ToldWay()), trust.shift(east, ToldWay())
    assert known is not None
    assert unknown is not None
    assert off_sigmas(2 * np.array(north.en_m), known.cov_m2) > 5.0
    assert off_sigmas(2 * np.array(east.en_m), unknown.cov_m2) <= PROTECTED


def test_what_checks_show_is_what_least_squares_over_all_of_them_shows() -> None:
    """The slow reference: all checks at once, the error a random walk between them, and an error of each besides."""
    rng, trust = np.random.default_rng(3), VelocityTrust.unproven()
    x, off, noise = [], [], []
    wrong = np.array([[0.04, -0.03], [0.02, 0.05]])
    own = np.square([MOTION.least_error, MOTION.least_error, MOTION.velocity_sigma_mps / MOTION.offset_mps])
    for _ in range(5):
        way = ToldWay.between(STEP_S, *rng.normal(0.0, 8.0, (2, 2)))
        shown = Shift((np.eye(2) + wrong) @ way.en_m + rng.normal(0.0, 2.0, 2), np.eye(2) * 8.0)
        trust = trust.checked(way, shown)
        x.append(np.array([*way.en_m, MOTION.offset_mps * STEP_S]))
        off.append(shown.en_m - way.en_m)
        noise.append(way.variance_m2 + 8.0 + float(own @ x[-1] ** 2))
    drift = MOTION.error_drift**2
    later = np.minimum.outer(np.arange(1, 6), np.arange(1, 6))  # how many steps of the walk two checks share
    walk, rows = MOTION.error_sigma**2 + drift * later, np.array(x)
    cov, towards = walk * (rows @ rows.T) + np.diag(noise), walk[-1][:, None] * rows
    assert trust.error == pytest.approx(np.linalg.solve(cov, np.array(off)).T @ towards, abs=1e-9)
    assert trust.doubt == pytest.approx(walk[-1, -1] * np.eye(3) - towards.T @ np.linalg.solve(cov, towards), abs=1e-9)


def test_ways_one_after_the_other_are_one_way() -> None:
    one = ToldWay.between(2.0, np.array([1.0, 2.0]), np.array([3.0, 2.0]))
    two = ToldWay.between(3.0, np.array([3.0, 2.0]), np.array([3.0, -4.0]))
    both = one.then(two)
    assert (both.seconds, both.en_m) == (5.0, (4.0 + 9.0, 4.0 - 3.0))
    assert both.variance_m2 == pytest.approx(MOTION.bridge_psd_m2ps3 * (2.0**3 + 3.0**3) / 12)
    assert ToldWay().then(one) == one


def test_two_shifts_together_are_weighed_and_contradicting_ones_are_none() -> None:
    told, seen = Shift(np.array([24.0, 0.0]), np.eye(2) * 9.0), Shift(np.array([26.0, 0.0]), np.eye(2) * 3.0)
    both = shift_of(told, seen)
    assert both is not None
    assert both.en_m == pytest.approx([25.5, 0.0])
    assert both.cov_m2 == pytest.approx(np.eye(2) / (1 / 9 + 1 / 3))
    assert shift_of(told, Shift(np.array([24.0, 12.0]), np.eye(2) * 3.0)) is None
    assert shift_of(told, None) is told
    assert shift_of(None, seen) is seen
    assert shift_of(None, None) is None


def test_a_trust_outlives_being_written() -> None:
    flown = list(fly(lambda k: LIES["negated"], 1, 0, steps=5))[-1].after
    assert flown.ignored
    for before in (VelocityTrust.unproven(), flown):
        after = VelocityTrust.from_json(json.loads(json.dumps(before.to_json())))
        assert (after.error == before.error).all() and (after.doubt == before.doubt).all(), "to the last bit"
        assert (after.contradicted, after.borne_out) == (before.contradicted, before.borne_out)
        assert after.ignored is before.ignored
    with pytest.raises(ValueError, match="reshape"):
        VelocityTrust.from_json({**flown.to_json(), "doubt": [0.0]})
    with pytest.raises(KeyError):
        VelocityTrust.from_json({"error": flown.error.tolist()})


def test_a_told_way_outlives_being_written() -> None:
    way = ToldWay.between(2.3, np.array([1.1, 2.7]), np.array([3.3, -2.9]))
    assert ToldWay.from_json(json.loads(json.dumps(asdict(way)))) == way
    with pytest.raises(ValueError, match="unpack"):
        ToldWay.from_json({**asdict(way), "en_m": [1.0]})
    with pytest.raises(KeyError):
        ToldWay.from_json({"en_m": [1.0, 2.0]})
