"""Flights over hills: with a terrain model a drone is where it is, without it stands off by what the ground does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.fix import Fix
from runtime.frame import Frame, Telemetry
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.features import LocalFeatures
from runtime.locate.localizer import Localizer
from runtime.maps.dem import read_dem
from runtime.maps.imagery import Imagery
from runtime.maps.importing import import_imagery
from runtime.model.bundle import Bundle
from runtime.model.load import open_engine
from runtime.tiles.building.build import build
from runtime.tiles.building.spec import BuildSpec
from runtime.tiles.cache import TileCache
from train.world import flight as world
from train.world.hills import draw_hills, write_dem

RELIEF_M = 35.0
SPEC = world.FlightSpec(
    width_m=440.0,
    height_m=420.0,
    frames=8,
    interval_s=4.0,
    alt_agl_m=100.0,
    margin_m=150.0,
    width_px=640,
    height_px=360,
)
Seen = tuple[list[Frame], list[LatLon], list[LatLon]]  # frames, the drone and the ground at the picture's centre


@pytest.fixture(scope="module")
def ground() -> world.Picture:
    plan = world.draw_plan(SPEC.seed, SPEC.width_m, SPEC.height_m)
    return world.paint(plan, world.SUMMER, world.PICTURE_GSD_M)


@pytest.fixture(scope="module")
def imagery(ground: world.Picture, tmp_path_factory: pytest.TempPathFactory) -> Imagery:
    folder = tmp_path_factory.mktemp("hills")
    world.write_map(folder / "map.tif", world.shrunk(ground))
    return import_imagery(folder / "map.tif", folder / "a.mbtiles", name="", date="", attribution="",
                          tick=lambda done, total: None)  # fmt: skip


def cache_over(imagery: Imagery, toy_bundle: Path, relief_m: float, above_m: float = 0.0) -> TileCache:
    """Build the map's cache with a DEM of hills that high, ``above_m`` more of them as of another vertical datum."""
    hills = draw_hills(SPEC, relief_m)
    write_dem(imagery.path.with_name("dem.tif"), replace(hills, height_m=hills.height_m + above_m))
    out = imagery.path.with_suffix(".tiles")
    build(imagery, open_engine(toy_bundle, None, 2), out, BuildSpec(footprints_m=(64.0, 90.0)),
          heights=read_dem(imagery.path.with_name("dem.tif"), imagery))  # fmt: skip
    return TileCache.open(out)


def seen_over(ground: world.Picture, relief_m: float) -> Seen:
    """Seen 45 degrees ahead; telemetry is true."""
    terrain, camera = draw_hills(SPEC, relief_m), world.camera_of(SPEC)
    frames, drones, shown = [], [], []
    for k, pose in enumerate(world.fly(SPEC)):
        true = replace(pose.attitude, pitch_deg=pose.attitude.pitch_deg + 20.0)
        pose = replace(pose, attitude=true)  # noqa: PLW2901
        picture = world.render(ground, camera, pose, np.random.default_rng(k), terrain)
        told = Telemetry(
            pose.t_us, pose.alt_agl_m, true.roll_deg, true.pitch_deg, true.yaw_deg, *pose.velocity_north_east_mps
        )
        frames.append(Frame(told, picture))
        drones.append(world.place(pose.x, pose.y))
        shown.append(world.place(*pose.ground_xy(terrain)))
    return frames, drones, shown


def flown(cache: TileCache, toy_bundle: Path, default_bundle: Path, seen: Seen) -> list[Fix | None]:
    """What was registered of each frame."""
    frames, drones, _ = seen
    features = LocalFeatures(Bundle.open(default_bundle), threads=2)
    engine, start = open_engine(toy_bundle, None, 2), (drones[0], 30.0)
    localizer = Localizer(cache, engine, world.camera_of(SPEC), features, start=start)
    verdicts = [localizer.step(frame) for frame in frames]
    return [v if isinstance(v, Fix) and v.source == "registration" else None for v in verdicts]


def test_with_a_dem_the_drone_is_off_by_a_fraction_of_what_it_is_without(
    ground: world.Picture, imagery: Imagery, toy_bundle: Path, default_bundle: Path
) -> None:
    cache, seen = cache_over(imagery, toy_bundle, RELIEF_M), seen_over(ground, RELIEF_M)
    with_dem = flown(cache, toy_bundle, default_bundle, seen)
    without = flown(replace(cache, height=None), toy_bundle, default_bundle, seen)
    known, unknown = (
        [distance_m(LatLon(fix.lat, fix.lon), drone) for fix, drone in zip(fixes, seen[1], strict=True) if fix]
        for fixes in (with_dem, without)
    )
    assert len(known) == len(seen[0]), "every frame is registered"
    assert max(known) < 1.5
    assert np.median(unknown) > 2.5
    assert np.mean(known) < 0.15 * np.mean(unknown)
    for fix, shown in zip(with_dem, seen[2], strict=True):
        assert fix is not None and fix.ground_lat is not None and fix.ground_lon is not None
        assert distance_m(LatLon(fix.ground_lat, fix.ground_lon), shown) < 1.5


def test_a_dem_of_another_vertical_datum_is_as_good(
    ground: world.Picture, imagery: Imagery, toy_bundle: Path, default_bundle: Path
) -> None:
    """Heights above the ellipsoid for heights above the sea are up to 100 m off, everywhere alike."""
    frames, drones, shown = seen_over(ground, RELIEF_M)
    seen = frames[:3], drones[:3], shown[:3]
    sea, ellipsoid = (
        flown(cache_over(imagery, toy_bundle, RELIEF_M, above_m), toy_bundle, default_bundle, seen)
        for above_m in (0.0, 47.0)
    )
    for a, b in zip(sea, ellipsoid, strict=True):
        assert a is not None
        assert b is not None
        assert distance_m(LatLon(a.lat, a.lon), LatLon(b.lat, b.lon)) < 0.1


def test_a_level_dem_is_as_none(
    ground: world.Picture, imagery: Imagery, toy_bundle: Path, default_bundle: Path
) -> None:
    cache, seen = cache_over(imagery, toy_bundle, 0.0), seen_over(ground, 0.0)
    assert cache.height is not None
    with_dem, without = (flown(held, toy_bundle, default_bundle, seen) for held in (cache, replace(cache, height=None)))
    for a, b in zip(with_dem, without, strict=True):
        assert a is not None
        assert b is not None
        assert distance_m(LatLon(a.lat, a.lon), LatLon(b.lat, b.lon)) < 1e-6
        assert a.ground_lat == pytest.approx(b.ground_lat, abs=1e-11)
        assert a.cov_en_m2 == pytest.approx(b.cov_en_m2, rel=1e-6)
