"""A flight's state is a value: kept, restored, and no other file is taken for one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from runtime.errors import SettingsError
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.belief import Belief
from runtime.locate.limits import FRAME, MOUNT, REGISTRATION
from runtime.locate.mount import Account, MountEstimate
from runtime.locate.offset import SIZE
from runtime.locate.position import PositionMeasurement
from runtime.locate.posterior import Posterior
from runtime.locate.state import FlightState, Lesson

ORIGIN = LatLon(47.5, 8.2)


def flown() -> FlightState:
    belief = Belief(Posterior(1e6))
    for t_s in range(3):
        belief = belief.moved(t_s * 1_000_000, np.array([1.0, 0.0]), None)
        belief = belief.registering(
            PositionMeasurement(t_s * 1_000_000, np.array([float(t_s), 0.0]), np.eye(2) * 4.0, 0.002)
        )
    return FlightState(ORIGIN, belief, constant([0.1, 0.02, 0.0, 0.0]), session="1", newest_us=2_000_000)


def constant(offset: list[float]) -> MountEstimate:
    """A mount that is surely off by a constant: log height and a rotation vector."""
    mean = np.array([*offset, 0.0, 0.0, 0.0])
    refuted = Account(0.0, np.zeros(SIZE))
    return MountEstimate((refuted, Account(1.0, mean, np.eye(SIZE) * 1e-4), refuted))


def test_it_comes_back_from_text_as_it_was() -> None:
    state = flown()
    assert FlightState.from_json(json.loads(json.dumps(state.to_json()))).to_json() == state.to_json()


def broken(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for key in way:
            values = values[int(key) if key.isdigit() else key]  # type: ignore[call-overload]
        values[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        broken("format", 1),
        broken("origin", [200.0, 1000.0]),
        broken("newest_us", math.inf),
        broken("belief.velocity_en_mps", []),
        broken("belief.start", "perhaps"),
        broken("belief.posterior.area_m2", 0.0),
        broken("belief.posterior.placements.0.probability", 5.0),
        broken("belief.posterior.placements.0.lineage", "noble"),
        broken("belief.posterior.placements.0.track.cov", [[math.nan] * 4] * 4),
        broken("belief.posterior.placements.0.track.cov", (-np.eye(4)).tolist()),
        broken("belief.posterior.placements.0.track.t_us", 10**12),
        broken("belief.newest_us", 10**12),
        broken("belief.velocity.doubt", (-np.eye(3)).tolist()),
        broken("belief.velocity.error", [[math.nan] * 3] * 2),
        broken("belief.told", {"seconds": 1.0, "en_m": [1.0, 0.0], "variance_m2": -3}),
        broken("belief.registered.cov_m2", [[1.0, 2.0], [-2.0, 1.0]]),
        broken("mount", None),
        broken("mount.accounts.1.cov", [[math.inf] * 7] * 7),
        broken("mount.accounts.1.weight", 2.0),
        broken("missing_m", math.nan),
        broken("tilt_doubted", None),
    ],
)
def test_what_is_no_state_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    values = flown().to_json()
    change(values)
    with pytest.raises(SettingsError, match="no kept state"):
        FlightState.from_json(values)


def test_a_clock_that_was_set_is_told_from_a_frame_that_came_late() -> None:
    state = replace(flown(), newest_us=100)
    late = state.heard(50)
    assert late.ran_backwards(50)
    assert not late.clock_was_set
    assert late.heard(101).backwards_us == ()
    for t_us in range(1, 1 + FRAME.backwards_until_clock_set):
        state = state.heard(t_us)
    assert state.clock_was_set


def test_doubts_name_what_is_contradicted() -> None:
    state = flown()
    assert state.doubts() == ()
    leaning = replace(state, mount=constant([0.0, 0.4, 0.0, 0.0]))
    assert leaning.doubts() == ("tilt",)
    turned = replace(state, mount=constant([0.3, 0.0, 0.0, -0.4]))
    assert turned.doubts() == ("yaw", "altitude")


def test_a_tilt_far_from_told_widens_the_fix() -> None:
    assert replace(flown(), missing_m=5.0).telemetry_cov_m2 == pytest.approx(np.eye(2) * 25.0)


def test_an_attitude_that_was_contradicted_must_be_borne_out_anew() -> None:
    """A frame that looks 30 degrees elsewhere is remembered until as many as are needed look as told."""
    state = flown()
    assert state.having_found_tilt(math.radians(5.0)).tilt_doubted == 0
    state = state.having_found_tilt(math.radians(30.0))
    for left in range(REGISTRATION.tilt_doubted, 0, -1):
        assert state.tilt_doubted == left
        state = state.having_found_tilt(math.radians(2.0))
    assert state.tilt_doubted == 0


def test_the_same_ground_teaches_the_mount_once() -> None:
    """A hill that is in sight for twenty frames bends them alike: it is one witness for a tilt, not twenty."""
    state, seen = FlightState(ORIGIN, Belief(Posterior(1e6))), LocalFrame(ORIGIN)
    side_m, first, other = 100.0, MountEstimate(), replace(MountEstimate())
    state = state.taught(first, Lesson(ORIGIN, 350.0), side_m)
    assert state.mount is first
    near, far = MOUNT.lesson_side_share * side_m - 1.0, MOUNT.lesson_side_share * side_m + 1.0
    for away_m, yaw_deg, is_taught in (
        (near, 350.0, False),
        (far, 350.0, True),
        (near, 20.0, False),
        (near, 36.0, True),
    ):
        after = state.taught(other, Lesson(seen.to_latlon(0.0, away_m), yaw_deg), side_m)
        assert (after.mount is other) == is_taught
        assert after.lesson == (Lesson(seen.to_latlon(0.0, away_m), yaw_deg) if is_taught else state.lesson)
