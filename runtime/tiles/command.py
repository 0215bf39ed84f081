"""python -m runtime.tiles build: from arguments to a cache and its map."""

from __future__ import annotations

import argparse
import contextlib
import time

from runtime.errors import CacheError, SettingsError, SkyfixError
from runtime.model.load import open_engine
from runtime.progress import progress
from runtime.tiles.build import FOOTPRINTS_M, BuildResult, asked_of, build, grids_of, left_out_text
from runtime.tiles.building import Building
from runtime.tiles.imagery import Imagery
from runtime.tiles.sources import identity, import_imagery


def build_command(args: argparse.Namespace) -> None:
    """Import the map, build the cache, say what was done; raises SkyfixError."""
    _check(args)
    started = time.perf_counter()
    engine = open_engine(args.bundle, args.precision, args.threads)
    footprints_m = tuple(sorted(args.footprints)) if args.footprints else FOOTPRINTS_M
    grids = grids_of(footprints_m, None)
    told = {"name": args.imagery.stem, "date": args.date, "attribution": args.attribution}
    asked = {"imagery": identity(args.imagery), **told, **asked_of(engine, grids, args.accuracy)}
    building = Building(args.out, asked)
    with contextlib.closing(_imported(args, building, told)) as imagery, progress("tiles") as tick:
        result = build(
            imagery, engine, args.out, footprints_m=footprints_m, accuracy_ce90_m=args.accuracy, building=building,
            tick=tick,
        )  # fmt: skip
        zoom = imagery.zoom
    _say(args, result, footprints_m, time.perf_counter() - started)
    print(f"map: {args.out.with_suffix('.mbtiles')}, zoom {zoom}; encoder: {engine.name}")


def _check(args: argparse.Namespace) -> None:
    if not (args.accuracy >= 0 and all(f > 0 for f in args.footprints or [])):
        raise SettingsError("--accuracy and --footprints are metres; expected positive numbers")
    if args.out.suffix != ".tiles":
        raise CacheError(f"--out {args.out} must end in .tiles; the map is written beside it as .mbtiles")


def _imported(args: argparse.Namespace, building: Building, told: dict[str, str]) -> Imagery:
    """The map, imported now or before this build was ended; what cannot be read leaves nothing behind."""
    if building.map_path.is_file():
        imagery = Imagery(building.map_path)
        imagery.metadata.update({key: text for key, text in told.items() if text and key != "name"})
        return imagery
    try:
        with progress("map") as tick:
            return import_imagery(args.imagery, building.map_path, **told, tick=tick)
    except SkyfixError:
        building.remove()
        raise


def _say(args: argparse.Namespace, result: BuildResult, footprints_m: tuple[float, ...], seconds: float) -> None:
    levels = ", ".join(f"{n} of {f:g} m" for n, f in zip(result.rows_by_level, footprints_m, strict=True))
    print(f"{args.out}: {result.rows} tiles ({levels}); left out: {left_out_text(result.left_out)}; {seconds:.1f} s")
