"""The fast part of the suite of lies: a short flight over a small world, and every lie told of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.fix import Fix
from runtime.flights.flight import Flight
from runtime.frame import Frame
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.features import LocalFeatures
from runtime.locate.localizer import Localizer
from runtime.model.bundle import Bundle
from runtime.model.engine import Engine
from runtime.model.load import open_engine
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


def fixes_of(one: Told, town: Path, engine: Engine, features: LocalFeatures) -> list[tuple[Fix, float]]:
    """Fly a flight as it is told; returns the fixes with how far off they are."""
    localizer = Localizer(TileCache.open(town), engine, one.camera, features, start=one.start)
    verdicts = [localizer.step(frame) for frame in one.frames]
    return [
        (verdict, distance_m(place, LatLon(verdict.lat, verdict.lon)))
        for verdict, place in zip(verdicts, one.drone, strict=True)
        if isinstance(verdict, Fix) and place is not None
    ]


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_makes_a_fix_that_is_wrong(
    *, lie: str, told: Told, town: Path, engine: Engine, features: LocalFeatures
) -> None:
    for fix, off_m in fixes_of(LIES[lie](told), town, engine, features):
        assert off_m <= max(fix.hpl_m, WRONG_M), fix


@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_is_believed(*, name: str, told: Told, town: Path, engine: Engine, features: LocalFeatures) -> None:
    fixes = fixes_of(TRUTHS[name](told), town, engine, features)
    assert len(fixes) >= (2 if "black" in name else 5)
    assert max(off_m for _, off_m in fixes) < 10.0
    assert np.mean([off_m <= fix.hpl_m for fix, off_m in fixes]) == 1.0


@pytest.mark.parametrize("off", ["map 200 m off, start told", "map 60 m off, start told", "start 300 m off"])
def test_what_the_map_contradicts_stays_without_a_fix_and_is_said(
    *, off: str, told: Told, town: Path, engine: Engine, features: LocalFeatures
) -> None:
    one = LIES[off](told)
    localizer = Localizer(TileCache.open(town), engine, one.camera, features, start=one.start)
    verdicts = [localizer.step(frame) for frame in one.frames]
    assert not any(isinstance(verdict, Fix) for verdict in verdicts)
    assert "start" in verdicts[-1].doubts


@pytest.mark.parametrize("lie", ["velocity negated", "velocity x5", "velocity, north negated"])
def test_a_velocity_that_lies_is_said_and_costs_no_fix(
    *, lie: str, told: Told, town: Path, engine: Engine, features: LocalFeatures
) -> None:
    one = LIES[lie](told)
    localizer = Localizer(TileCache.open(town), engine, one.camera, features)
    verdicts = [localizer.step(frame) for frame in one.frames]
    assert sum(isinstance(verdict, Fix) for verdict in verdicts) >= 4
    assert "velocity" in verdicts[-1].doubts
