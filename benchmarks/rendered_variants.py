"""Rendered flights at other tilts and altitudes, with telemetry as poor as it gets; replayed and scored.

    python benchmarks/rendered_variants.py [--seed 11] [--frames 24] [--ground PICTURES ...] [--strength 0.5]
        [--map-gsd 0.25] [--relief M] [--pitch DEG ...] [--no-heading] [--gimbal] [--longer SHARE] [--above-take-off]
        [--crab DEG] [--map-shift M] [--interval S] [--matcher BUNDLE | --retrieval-alone] [--keep FOLDER]

Roll is blank; pitch, altitude and yaw are wrong by a constant drawn for each flight (up to 5 degrees, 15% and 15
degrees), yaw by 3 degrees a frame besides; one frame in five seconds, no velocity, no start position. With
``--gimbal`` roll and pitch are told to 0.2 degrees and the altitude to 1%; with ``--longer 0.07`` the lens is 7% longer
than ``camera.yaml`` says; with ``--above-take-off`` the altitude is told above the ground of the first frame; with
``--crab 10`` the heading told is the track's, in a wind that turns the nose by up to 10 degrees; with ``--map-shift 8``
the map lies 8 m off, within what is stated of it. Errors of position are told along the view and across it, too. The
ground is a generated world of two dates, or overhead pictures of the folders given, sewn together: the map as they are,
the flight over what another day, season and lens make of them (half strength unless you say otherwise). A folder of
pairs, ``a/`` and ``b/`` with files of the same names, gives two real dates, each picture in eight turns. With
``--relief`` the ground lies on hills, and each flight is flown without heights and with a terrain model of them.
Rendered flights never stand for accuracy: this shows what breaks.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rendered_flight import write_flight

from runtime.fix import Fix, Verdict
from runtime.flights.flight import Flight
from runtime.flights.truth import Truth, read_truth
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.terrain import FLAT, Terrain
from runtime.locate.load import open_localizer
from runtime.maps.dem import read_dem
from runtime.maps.heights import Heights
from runtime.maps.imagery import Imagery
from runtime.maps.importing import import_imagery
from runtime.model.load import open_engine
from runtime.replay.replay import fly as replay
from runtime.replay.score import score
from runtime.tiles.building.build import build
from runtime.tiles.building.spec import BuildSpec
from runtime.tiles.cache import TileCache
from runtime.types import Picture
from train.data.source import pictures_under, read_picture
from train.data.sources.overhead import sewn
from train.render.augment import augment
from train.world import flight as world
from train.world.covers import AUTUMN, SUMMER
from train.world.hills import draw_hills, write_dem
from train.world.picture import paint
from train.world.zoning import draw_plan

PICTURE_M, PICTURE_PX = 90.0, 400  # what a picture of a folder shows, taken to be; its side
HEADINGS = (
    "ground median    p90  worst",
    "position median    p90  worst",
    "along  across",
    "inside 90%",
    "outside HPL",
    "ms",
)
VARIANTS = ((-90.0, 110.0), (-65.0, 90.0), (-60.0, 50.0), (-45.0, 110.0), (-45.0, 60.0))  # pitch_deg, alt_agl_m


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--ground", type=Path, nargs="*", default=[], help="folders of overhead pictures, one map each")
    parser.add_argument("--strength", type=float, default=0.5, help="of what changes between map and flight (0.5)")
    parser.add_argument("--map-gsd", type=float, default=world.MAP_GSD_M, metavar="M", help="metres a pixel (0.25)")
    parser.add_argument("--no-heading", action="store_true", help="yaw is blank, too")
    parser.add_argument("--relief", type=float, default=0.0, metavar="M", help="from valley to hill, 300 m across (0)")
    parser.add_argument("--gimbal", action="store_true", help="where the camera looks is told to 0.2 degrees")
    parser.add_argument("--longer", type=float, default=0.0, metavar="SHARE", help="of the lens than told (0)")
    parser.add_argument("--above-take-off", action="store_true", help="the altitude is told above the first frame's")
    parser.add_argument("--crab", type=float, default=0.0, metavar="DEG", help="at most, of a nose off the track (0)")
    parser.add_argument("--map-shift", type=float, default=0.0, metavar="M", help="to the north-east, of the map (0)")
    parser.add_argument("--interval", type=float, default=5.0, metavar="S", help="between frames (5)")
    parser.add_argument("--pitch", type=float, nargs="*", help="only these of the variants, degrees")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--matcher", type=Path)
    parser.add_argument("--retrieval-alone", dest="matcher", action="store_const", const=False, help="no registration")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep maps, caches and flights there")
    args = parser.parse_args()
    print(f"{'ground':<24} pitch altitude  fixes  ", *HEADINGS, sep="  ")
    for ground in args.ground or [None]:
        fly_over(ground, args)


def fly_over(ground: Path | None, args: argparse.Namespace) -> None:
    """All variants over one map."""
    spec = world.FlightSpec(seed=args.seed, frames=args.frames, interval_s=args.interval)
    mapped, flown_over = generated(spec) if ground is None else sewn_together(ground, spec, args.strength)
    name = "generated" if ground is None else ground.name
    with tempfile.TemporaryDirectory() as passing:
        folder = args.keep / name if args.keep else Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        area = folder / "area.mbtiles"
        world.write_map(folder / "map.tif", world.shrunk(mapped, args.map_gsd), args.map_gsd)
        imagery = import_imagery(
            folder / "map.tif", area, name="", date="", attribution="", tick=lambda done, total: None
        )
        terrain = draw_hills(spec, args.relief) if args.relief else FLAT
        heights = heights_of(terrain, folder / "dem.tif", imagery) if args.relief else None
        engine = open_engine(args.bundle, None, 0)
        stated = BuildSpec(accuracy_ce90_m=max(1.0, args.map_shift))
        build(imagery, engine, area.with_suffix(".tiles"), stated, heights=heights)
        cache = TileCache.open(area.with_suffix(".tiles"))
        known = {"no DEM": replace(cache, height=None), "DEM": cache} if args.relief else {"": cache}
        for view in (one for one in VARIANTS if args.pitch is None or one[0] in args.pitch):
            flown = folder / "{:.0f}_{:.0f}".format(*view)
            write_flight(flown, spec, (flown_over, terrain), view, args)
            for what, held in known.items():
                said = f"{name:<16} {what:<7} {view[0]:5.0f} {view[1]:5.0f} m  {line(flown, held, args)}"
                print(said, flush=True)


def heights_of(terrain: Terrain, dem: Path, imagery: Imagery) -> Heights:
    """Write the hills as a DEM, and read them back as a build does."""
    write_dem(dem, terrain)
    return read_dem(dem, imagery)


def generated(spec: world.FlightSpec) -> tuple[Picture, Picture]:
    """A drawn world on two dates."""
    plan = draw_plan(spec.seed, spec.width_m, spec.height_m)
    summer, autumn = (paint(plan, date, world.PICTURE_GSD_M) for date in (SUMMER, AUTUMN))
    return summer, autumn


def sewn_together(folder: Path, spec: world.FlightSpec, strength: float) -> tuple[Picture, Picture]:
    """A map of a folder's pictures, blended at their seams, and the same ground on another day."""
    rng = np.random.default_rng(spec.seed)
    across = 2 * round(spec.width_m / 2 / PICTURE_M)
    paths = pictures_under(folder / "a") if (folder / "a").is_dir() else pictures_under(folder)
    pairs = (folder / "b").is_dir()
    turned = [(path, turn) for turn in range(8 if pairs else 1) for path in paths]
    chosen = [turned[k] for k in rng.permutation(len(turned))[np.arange(across * across) % len(turned)]]
    mapped = ground_of([turn_of(read_picture(path), turn) for path, turn in chosen], spec)
    if pairs:
        other = [turn_of(read_picture(folder / "b" / path.name), turn) for path, turn in chosen]
        return mapped, ground_of(other, spec)
    square = np.asarray(cv2.resize(mapped, (2048, 2048), interpolation=cv2.INTER_AREA), np.uint8)
    changed = cv2.resize(augment(square, rng, strength), mapped.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return mapped, np.asarray(changed, np.uint8)


def turn_of(picture: Picture, turn: int) -> Picture:
    """One of a square's eight turns and mirrored turns, at the side that pictures are sewn at."""
    square = cv2.resize(picture, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
    return np.rot90(square[:, ::-1] if turn >= 4 else square, turn % 4)


def ground_of(grid: list[Picture], spec: world.FlightSpec) -> Picture:
    """Pictures sewn two by two until one is left, at the resolution that flights are rendered from."""
    while len(grid) > 1:
        side = math.isqrt(len(grid))
        grid = [
            sewn([grid[r * side + c], grid[r * side + c + 1], grid[(r + 1) * side + c], grid[(r + 1) * side + c + 1]])
            for r in range(0, side, 2)
            for c in range(0, side, 2)
        ]
    mapped = cv2.resize(grid[0], (round(spec.width_m / world.PICTURE_GSD_M),) * 2, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(mapped[: round(spec.height_m / world.PICTURE_GSD_M)], np.uint8)


def line(flown: Path, cache: TileCache, args: argparse.Namespace) -> str:
    """Figures of one replay with no start position."""
    flight, truth = Flight.open(flown), read_truth(flown / "truth.csv")
    localizer = open_localizer(cache, flight.camera, bundle=args.bundle, matcher=args.matcher, start=None, threads=0)
    verdicts, stages_ms = replay(flight, localizer)
    report = score(verdicts, truth, stages_ms).to_json()
    ground, drone = report["ground_error_m"]["of_fixes"], report["position_error_m"]["of_fixes"]
    if not drone["count"]:
        return f"{0:2d}/{report['frames']}"
    none = {"median": math.nan, "p90": math.nan, "worst": math.nan}
    errors = [
        f"{e['median']:10.1f} m  {e['p90']:5.1f}  {e['worst']:5.1f}"
        for e in (ground if ground["count"] else none, drone)
    ]
    along_m, across_m = along_and_across(verdicts, truth)
    shares = f"{report['coverage']['90%']:10.0%}", f"{report['hpl_misses']:11d}"
    told = f"{report['fixes']:2d}/{report['frames']}", *errors, f"{along_m:+5.1f}  {across_m:+6.1f}", *shares
    return "  ".join([*told, f"{report['latency_ms']['frame']['p50']:4.0f}"])


def along_and_across(verdicts: Sequence[Verdict], truth: Mapping[int, Truth]) -> tuple[float, float]:
    """Median errors of the drone's place in metres: forward by where the camera looks, and to the right of it.

    Straight down forward is where it hangs over by some degrees.
    """
    errors = [(math.nan, math.nan)]
    for fix in verdicts:
        true = truth[fix.t_us]
        if isinstance(fix, Fix) and true.drone is not None and true.ground is not None:
            off, view = (np.array(LocalFrame(true.drone).to_en(at)) for at in (LatLon(fix.lat, fix.lon), true.ground))
            forward = view / max(float(np.hypot(*view)), 1e-9)
            errors.append((float(off @ forward), float(off @ (forward[1], -forward[0]))))
    along, across = np.median(np.array(errors[1:] or errors), axis=0).tolist()
    return along, across


if __name__ == "__main__":
    main()
