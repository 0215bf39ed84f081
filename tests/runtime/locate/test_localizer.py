"""Whatever a frame and its telemetry say, a step gives a verdict; and verdicts follow from what was seen."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import CacheEngineError
from runtime.fix import Fix, NoFix
from runtime.flights.flight import Flight
from runtime.frame import Frame, Telemetry
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.features import LocalFeatures
from runtime.locate.limits import DOMAIN
from runtime.locate.localizer import Localizer
from runtime.locate.retrieve import Look, Retriever
from runtime.model.bundle import Bundle
from runtime.model.engine import Engine
from runtime.model.load import open_engine
from runtime.tiles.cache import TileCache

NAN = math.nan


@pytest.fixture(scope="module")
def engine(toy_bundle: Path) -> Engine:
    return open_engine(toy_bundle, None, 2)


@pytest.fixture(scope="module")
def features(default_bundle: Path) -> LocalFeatures:
    return LocalFeatures(Bundle.open(default_bundle), threads=2)


def localizer(
    tiles: Path, engine: Engine, flight: Flight, features: LocalFeatures | None, start: LatLon | None = None
) -> Localizer:
    cache = TileCache.open(tiles)
    return Localizer(cache, engine, flight.camera, features, start=None if start is None else (start, 40.0))


def changed(frame: Frame, **telemetry: float) -> Frame:
    return replace(frame, telemetry=replace(frame.telemetry, **telemetry))


impossible = st.sampled_from([NAN, math.inf, -math.inf, 1e300, -1e300])  # what a broken decoder says
number = st.one_of(impossible, st.floats(-1e7, 1e7), st.floats(-180, 360))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    alt=st.one_of(impossible, st.sampled_from([-5.0, 0.0, 1e-3, 1.0, 60.0, 3000.0, 1e5, 1e8])),
    angles=st.tuples(number, st.one_of(impossible, st.floats(-90, 30)), number),
    velocity=st.tuples(number, number),
    size=st.sampled_from([(360, 640), (90, 160), (9, 16), (1, 1), (640, 360)]),
    matched=st.booleans(),
)
def test_no_telemetry_and_no_picture_makes_a_step_fail(
    *,
    toy_tiles: Path,
    engine: Engine,
    flight: Flight,
    features: LocalFeatures,
    alt: float,
    angles: tuple[float, float, float],
    velocity: tuple[float, float],
    size: tuple[int, int],
    matched: bool,
) -> None:
    flown = localizer(toy_tiles, engine, flight, features if matched else None)
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for t_us in (0, 1_000_000):
        verdict = flown.step(Frame(Telemetry(t_us, alt, *angles, *velocity), picture))
        assert isinstance(verdict, Fix | NoFix)
        if isinstance(verdict, Fix):
            assert all(math.isfinite(v) for v in (verdict.lat, verdict.lon, *verdict.cov_en_m2))


@pytest.mark.parametrize(
    ("telemetry", "reason"),
    [
        ({"alt_agl_m": NAN}, "no_altitude"),
        ({"alt_agl_m": -3.0}, "no_altitude"),
        ({"cam_pitch_deg": NAN}, "no_pitch"),
        ({"cam_pitch_deg": 5.0}, "near_horizon"),
    ],
)
def test_what_cannot_be_used_says_why(
    *, toy_tiles: Path, engine: Engine, flight: Flight, frames: list[Frame], telemetry: dict[str, float], reason: str
) -> None:
    verdict = localizer(toy_tiles, engine, flight, None).step(changed(frames[0], **telemetry))
    assert isinstance(verdict, NoFix)
    assert verdict.reason == reason
    assert verdict.latency_ms > 0


def test_a_covered_lens_gives_no_fix(toy_tiles: Path, engine: Engine, flight: Flight, frames: list[Frame]) -> None:
    for shade in (0, 128, 255):
        blank = replace(frames[0], picture=np.full_like(frames[0].picture, shade))
        verdict = localizer(toy_tiles, engine, flight, None).step(blank)
        assert isinstance(verdict, NoFix)
        assert verdict.reason == "blank_picture"


def test_a_picture_of_another_shape_is_no_fix_and_one_of_another_size_is_as_good(
    *, toy_tiles: Path, engine: Engine, flight: Flight, frames: list[Frame]
) -> None:
    turned = replace(frames[0], picture=np.ascontiguousarray(np.rot90(frames[0].picture)))
    halved = replace(frames[0], picture=np.ascontiguousarray(frames[0].picture[::2, ::2]))
    reasons = []
    for frame in (turned, halved):
        verdict = localizer(toy_tiles, engine, flight, None).step(frame)
        assert isinstance(verdict, NoFix)
        reasons.append(verdict.reason)
    assert reasons[0] == "other_camera"
    assert reasons[1] in {"ambiguous", "unconfirmed"}


def test_time_that_runs_backwards_is_a_verdict_and_changes_nothing(
    toy_tiles: Path, engine: Engine, flight: Flight, frames: list[Frame]
) -> None:
    flown = localizer(toy_tiles, engine, flight, None)
    flown.step(frames[2])
    for frame in (frames[1], frames[2]):
        verdict = flown.step(frame)
        assert isinstance(verdict, NoFix)
        assert verdict.reason == "time_ran_backwards"


def test_a_cache_of_another_encoder_is_refused(toy_tiles: Path, other_bundle: Path, flight: Flight) -> None:
    with pytest.raises(CacheEngineError):
        localizer(toy_tiles, open_engine(other_bundle, None, 1), flight, None)


def test_frames_that_look_unlike_the_map_are_searched_for_less_what_they_have_in_common(
    *, toy_tiles: Path, engine: Engine, flight: Flight, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Look] = []
    anywhere = Retriever.anywhere
    monkeypatch.setattr(
        Retriever, "anywhere", lambda self, frame, looks: asked.extend(looks) or anywhere(self, frame, looks)
    )
    for like_cosine, is_taken_out in ((-1.0, False), (2.0, True)):
        monkeypatch.setattr(
            "runtime.locate.domain.DOMAIN", replace(DOMAIN, like_cosine=like_cosine, least_frames=2, one_place=2.0)
        )
        flown = localizer(toy_tiles, engine, flight, None)
        asked.clear()
        for frame in frames[:4]:
            flown.step(frame)
        assert [not np.array_equal(look.query, look.embedding) for look in asked] == [False, False] + [is_taken_out] * 2
        assert flown.state.domain.compared == 4


@pytest.fixture
def started(
    *,
    toy_tiles: Path,
    engine: Engine,
    flight: Flight,
    features: LocalFeatures,
    frames: list[Frame],
    drones: dict[int, LatLon],
) -> Localizer:
    """A localizer that is told where the first frame was taken."""
    return localizer(toy_tiles, engine, flight, features, start=drones[frames[0].t_us])


def test_a_known_start_leads_to_fixes_where_the_drone_is(
    started: Localizer, frames: list[Frame], drones: dict[int, LatLon]
) -> None:
    """The toy encoder knows nothing: what finds the place is the start, and what says so is registration."""
    fixes = [v for v in map(started.step, frames) if isinstance(v, Fix) and v.source == "registration"]
    assert len(fixes) >= 3
    for fix in fixes:
        away = np.array(LocalFrame(drones[fix.t_us]).to_en(LatLon(fix.lat, fix.lon)))
        ee, en, nn = fix.cov_en_m2
        assert np.hypot(*away) < 5.0
        assert away @ np.linalg.solve([[ee, en], [en, nn]], away) < 9.21
        assert fix.anchor_age_s == 0.0
        assert 0 < fix.quality <= 100


def test_a_blackout_is_bridged_with_growing_uncertainty_and_then_admitted(
    started: Localizer, frames: list[Frame]
) -> None:
    seen = [started.step(frame) for frame in frames[:3]]
    assert any(isinstance(v, Fix) for v in seen)
    dark = np.zeros_like(frames[0].picture)
    blind = [
        started.step(Frame(Telemetry(frames[2].t_us + k * 2_000_000, NAN, NAN, NAN, NAN), dark)) for k in range(1, 20)
    ]
    carried = [v for v in blind if isinstance(v, Fix)]
    assert [v.source for v in carried] == ["dead_reckoning"] * len(carried)
    assert 0 < len(carried) < len(blind), "said for a while, then no more"
    assert (np.diff([v.hpl_m for v in carried]) > 0).all()
    assert (np.diff([v.anchor_age_s for v in carried]) > 0).all()
    assert isinstance(blind[-1], NoFix)


def test_a_place_that_is_not_on_the_map_gives_no_fix(
    *, toy_tiles: Path, engine: Engine, flight: Flight, features: LocalFeatures, frames: list[Frame]
) -> None:
    """Mirrored houses look like the map, and are not on it."""
    flown = localizer(toy_tiles, engine, flight, features)
    mirrored = [replace(frame, picture=np.ascontiguousarray(frame.picture[:, ::-1])) for frame in frames]
    assert [v for v in map(flown.step, mirrored) if isinstance(v, Fix)] == []


@pytest.mark.parametrize("alt_agl_m", [3_000.0, 60_000.0])
def test_an_altitude_in_millimetres_does_not_eat_the_memory(
    *, toy_tiles: Path, engine: Engine, flight: Flight, features: LocalFeatures, frames: list[Frame], alt_agl_m: float
) -> None:
    flown = localizer(toy_tiles, engine, flight, features)
    tracemalloc.start()
    verdict = flown.step(changed(frames[0], alt_agl_m=alt_agl_m))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(verdict, NoFix)
    assert peak_bytes < 1e9
