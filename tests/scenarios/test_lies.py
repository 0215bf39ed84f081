"""The fast part of the suite of lies: a short flight over a small world, and every lie told of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.fix import Fix, Verdict
from runtime.flights.flight import Flight
from runtime.frame import Frame
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.features import LocalFeatures
from runtime.locate.localizer import Localizer
from runtime.locate.state import FlightState
from runtime.model.bundle import Bundle
from runtime.model.engine import Engine
from runtime.model.load import open_engine
from runtime.replay.score import jumps
from runtime.tiles.cache import TileCache
from train.world.lies import LIES, TRUTHS, Told

WRONG_M = 25.0


@pytest.fixture(scope="module")
def engine(default_bundle: Path) -> Engine:
    return open_engine(default_bundle, None, 2)


@pytest.fixture(scope="module")
def features(default_bundle: Path) -> LocalFeatures:
    return LocalFeatures(Bundle.open(default_bundle), threads=2)


@pytest.fixture(scope="module")
def told(flight: Flight, frames: list[Frame], drones: dict[int, LatLon]) -> Told:
    return Told(tuple(frames), flight.camera, tuple(drones.get(frame.t_us) for frame in frames))


class Flyer:
    """Flies flights as they are told over one map, whose features are found once a lens."""

    def __init__(self, cache: TileCache, engine: Engine, features: LocalFeatures) -> None:
        self._cache, self._engine, self._features = cache, engine, features
        self._localizers: dict[str, Localizer] = {}

    def localizer(self, one: Told) -> Localizer:
        lens = str(one.camera.matrix)
        if lens not in self._localizers:
            self._localizers[lens] = Localizer(self._cache, self._engine, one.camera, self._features)
        return self._localizers[lens]

    def fly(self, one: Told) -> list[Verdict]:
        localizer = self.localizer(one)
        localizer.forget(one.start)
        return [localizer.step(frame) for frame in one.frames]


@pytest.fixture(scope="module")
def flyer(town: Path, engine: Engine, features: LocalFeatures) -> Flyer:
    return Flyer(TileCache.open(town), engine, features)


def fixes_of(one: Told, verdicts: list[Verdict]) -> list[tuple[Fix, float]]:
    """Return the fixes with how far off they are."""
    return [
        (verdict, distance_m(place, LatLon(verdict.lat, verdict.lon)))
        for verdict, place in zip(verdicts, one.drone, strict=True)
        if isinstance(verdict, Fix) and place is not None
    ]


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_makes_a_fix_that_is_wrong(lie: str, told: Told, flyer: Flyer) -> None:
    one = LIES[lie](told)
    verdicts = flyer.fly(one)
    for fix, off_m in fixes_of(one, verdicts):
        assert off_m <= max(fix.hpl_m, WRONG_M), fix
    assert jumps(verdicts) == 0


@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_is_believed(name: str, told: Told, flyer: Flyer) -> None:
    one = TRUTHS[name](told)
    fixes = fixes_of(one, flyer.fly(one))
    assert len(fixes) >= (2 if "black" in name else 5)
    assert all(off_m <= min(fix.hpl_m, 10.0) for fix, off_m in fixes)


@pytest.mark.parametrize("covered_s", [10, 60, 600])
def test_after_the_lens_was_covered_the_drone_is_found_within_ten_seconds(
    covered_s: int, told: Told, flyer: Flyer
) -> None:
    """The lens is covered for so long while the drone flies on; then it sees ground again."""
    seen = told.frames[2:]
    first, later_us = told.frames[:2], covered_s * 1_000_000
    dark = replace(first[-1], picture=np.zeros_like(first[-1].picture))
    darkened = [_later(dark, second * 1_000_000) for second in range(1, covered_s, 5)]
    verdicts = flyer.fly(replace(told, frames=(*first, *darkened, *(_later(frame, later_us) for frame in seen))))
    assert isinstance(verdicts[0], Fix)
    assert not isinstance(verdicts[len(first) + len(darkened) - 1], Fix)
    again = [verdict.t_us for verdict in verdicts[-len(seen) :] if isinstance(verdict, Fix)]
    assert again[0] <= seen[0].t_us + later_us + 10_000_000
    assert jumps(verdicts) == 0


def _later(frame: Frame, by_us: int) -> Frame:
    return replace(frame, telemetry=replace(frame.telemetry, t_us=frame.t_us + by_us))


@pytest.mark.parametrize("off", ["map 200 m off, start told", "map 60 m off, start told", "start 300 m off"])
def test_what_the_map_contradicts_stays_without_a_fix_and_is_said(off: str, told: Told, flyer: Flyer) -> None:
    verdicts = flyer.fly(LIES[off](told))
    assert not any(isinstance(verdict, Fix) for verdict in verdicts)
    assert "start" in verdicts[-1].doubts


@pytest.mark.parametrize("lie", ["velocity negated", "velocity x5", "velocity, north negated"])
def test_a_velocity_that_lies_is_said_and_costs_no_fix(lie: str, told: Told, flyer: Flyer) -> None:
    verdicts = flyer.fly(LIES[lie](told))
    assert sum(isinstance(verdict, Fix) for verdict in verdicts) >= 4
    assert "velocity" in verdicts[-1].doubts


@pytest.mark.parametrize(
    ("lie", "suspected"),
    [("yaw +180", "yaw_off_180"), ("yaw +90", "yaw_off_90"), ("altitude in feet", "altitude_in_feet")],
)
def test_what_would_make_the_frames_fit_is_said_and_not_flown_by(
    lie: str, suspected: str, told: Told, flyer: Flyer
) -> None:
    """The short flight is flown there and back again, as often as every supposition needs its turn."""
    one = LIES[lie](told)
    step_us = one.frames[1].t_us - one.frames[0].t_us
    there_and_back = [*one.frames, *one.frames[-2:0:-1]] * 3
    frames = [
        replace(frame, telemetry=replace(frame.telemetry, t_us=k * step_us)) for k, frame in enumerate(there_and_back)
    ]
    verdicts = flyer.fly(replace(one, frames=tuple(frames)))
    assert not any(isinstance(verdict, Fix) for verdict in verdicts)
    assert verdicts[-1].doubts == (suspected,)


def test_a_state_that_was_kept_goes_on_as_if_nothing_had_been(told: Told, flyer: Flyer) -> None:
    """Half a flight, the state through text, and the other half: the same places, but for the flow between the two."""
    whole = flyer.fly(told)
    first, rest = replace(told, frames=told.frames[:3]), told.frames[3:]
    flyer.fly(first)
    localizer = flyer.localizer(told)
    localizer.restore(FlightState.from_json(json.loads(json.dumps(localizer.state.to_json()))))
    between = localizer.outlook.at(told.frames[3].t_us - 1_000_000)
    assert isinstance(between, Fix)
    assert between.source == "dead_reckoning"
    again = [localizer.step(frame) for frame in rest]
    for a, b in zip(whole[3:], again, strict=True):
        assert isinstance(a, Fix)
        assert isinstance(b, Fix)
        assert distance_m(LatLon(a.lat, a.lon), LatLon(b.lat, b.lon)) < 2.0
