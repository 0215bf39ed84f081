"""What must not end in a confident error: wrong maps, mirrored and frozen pictures, bad weather, water, repetition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.fix import Fix, Verdict
from runtime.flights.flight import Flight
from runtime.frame import Frame, Telemetry
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.load import open_localizer
from runtime.tiles.__main__ import main as tiles
from runtime.tiles.cache import TileCache
from runtime.types import Picture
from train.world import flight as world

Change = Callable[[Picture, np.random.Generator], NDArray[np.floating]]


def step_all(cache: Path, flight: Flight, frames: Sequence[Frame]) -> list[Verdict]:
    localizer = open_localizer(TileCache.open(cache), flight.camera, bundle=None, matcher=None, start=None, threads=2)
    return [localizer.step(frame) for frame in frames]


def changed(frames: Sequence[Frame], change: Change) -> list[Frame]:
    rng = np.random.default_rng(0)
    pictures = (np.clip(change(frame.picture, rng), 0, 255).astype(np.uint8) for frame in frames)
    return [replace(f, picture=np.ascontiguousarray(p)) for f, p in zip(frames, pictures, strict=True)]


def off_m(fix: Fix, truth: LatLon) -> float:
    return float(np.hypot(*LocalFrame(truth).to_en(LatLon(fix.lat, fix.lon))))


def waves(picture: Picture, rng: np.random.Generator) -> NDArray[np.floating]:
    """Open water: ripples of all sizes, and no two frames alike."""
    height, width = picture.shape[:2]
    ripples = np.zeros((height, width), np.float32)
    for step_px in (4, 8, 16, 32, 64):
        coarse = rng.normal(size=(height // step_px + 2, width // step_px + 2)).astype(np.float32)
        ripples += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * step_px**0.4
    return np.array([40.0, 70.0, 85.0]) + ripples[..., None] * (14.0 / ripples.std())


NOTHING_TO_SEE = {
    "mirrored": lambda p, rng: p[:, ::-1],
    "upside down": lambda p, rng: p[::-1, ::-1],
    "water": waves,
    "noise": lambda p, rng: rng.integers(0, 256, p.shape),
    "a dark night": lambda p, rng: rng.normal(p * 0.005 + 4.0, 6.0),
    "fog": lambda p, rng: p * 0.008 + 215.0 + rng.normal(0.0, 6.0, p.shape),
    "one garden over and over": lambda p, rng: np.tile(p[:90, :90], (8, 8, 1))[: p.shape[0], : p.shape[1]],
}


@pytest.mark.parametrize("name", NOTHING_TO_SEE)
def test_what_shows_nothing_of_the_map_gives_no_fix(town: Path, flight: Flight, frames: list[Frame], name: str) -> None:
    verdicts = step_all(town, flight, changed(frames, NOTHING_TO_SEE[name]))
    assert [v for v in verdicts if isinstance(v, Fix)] == []


@pytest.mark.parametrize(
    "change",
    [lambda p, rng: rng.normal(p * 0.1 + 4.0, 5.0), lambda p, rng: p * 0.15 + 200.0 + rng.normal(0.0, 2.0, p.shape)],
    ids=["dusk", "haze"],
)
def test_bad_light_may_cost_fixes_and_makes_none_wrong(
    *,
    town: Path,
    flight: Flight,
    frames: list[Frame],
    drones: dict[int, LatLon],
    change: Change,
) -> None:
    fixes = [v for v in step_all(town, flight, changed(frames, change)) if isinstance(v, Fix)]
    assert fixes, "it can still be seen"
    assert all(off_m(fix, drones[fix.t_us]) <= fix.hpl_m for fix in fixes)


def test_a_frozen_camera_is_told_and_not_believed(
    town: Path, flight: Flight, frames: list[Frame], drones: dict[int, LatLon]
) -> None:
    """It shows a place that was left long ago, and shows it well."""
    later = [replace(frame, picture=frames[2].picture) for frame in frames[3:]]
    verdicts = step_all(town, flight, [*frames[:3], *later])
    assert isinstance(verdicts[2], Fix)
    for verdict in verdicts[3:]:
        if isinstance(verdict, Fix):
            assert verdict.source == "dead_reckoning"
            assert off_m(verdict, drones[verdict.t_us]) <= verdict.hpl_m
        else:
            assert verdict.reason == "frozen_picture"


def test_a_map_that_repeats_itself_is_ambiguous(tmp_path: Path, small_world: Path) -> None:
    """Sixteen times the same quarter: every place looks right four times and more."""
    import rasterio

    with rasterio.open(small_world / "map.tif") as source:
        quarter = source.read()[:, :280, :300].transpose(1, 2, 0)
    repeated = np.ascontiguousarray(np.tile(quarter, (4, 4, 1)))
    world.write_map(tmp_path / "map.tif", repeated)
    cache = tmp_path / "again.tiles"
    assert (
        tiles(["build", "--imagery", str(tmp_path / "map.tif"), "--out", str(cache), "--footprints", "45", "64"]) == 0
    )
    ground = cv2.resize(repeated, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC)
    camera = world.camera_of(world.SMALL)
    frames = []
    for k, pose in enumerate(world.fly(world.SMALL)):
        told = Telemetry(pose.t_us, pose.alt_agl_m, 0.0, pose.attitude.pitch_deg, pose.attitude.yaw_deg)
        frames.append(Frame(told, world.render(ground, camera, pose, np.random.default_rng(k))))
    localizer = open_localizer(TileCache.open(cache), camera, bundle=None, matcher=None, start=None, threads=2)
    verdicts = [localizer.step(frame) for frame in frames]
    assert [v for v in verdicts if isinstance(v, Fix)] == []


def test_real_frames_over_another_place_s_map_give_no_fix(real_flights: Path, town: Path) -> None:
    for name in ("fengyuan", "caliterra"):
        flight = Flight.open(real_flights / name)
        frames = [frame for k, frame in enumerate(flight.frames()) if k % 8 == 0]
        assert [v for v in step_all(town, flight, frames) if isinstance(v, Fix)] == []
