"""python -m runtime.tiles build: from arguments to a cache and its map."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from runtime.errors import CacheError, SettingsError, SkyfixError
from runtime.maps.heights import Heights
from runtime.maps.imagery import Imagery
from runtime.maps.importing import identity, import_imagery, open_imported
from runtime.maps.mosaic import write_mosaic
from runtime.model.load import open_engine
from runtime.progress import progress
from runtime.tiles.building.build import FOOTPRINTS_M, BuildResult, asked_of, build, grids_of, left_out_text
from runtime.tiles.building.threads import Embedder, in_threads
from runtime.tiles.building.workspace import Workspace

Told = dict[str, str]  # name, date, attribution of a map


def build_command(args: argparse.Namespace) -> None:
    """Import the map, build the cache, say what was done; raises SkyfixError."""
    started = time.perf_counter()
    told = _checked(args)
    embedder = _embedder(args)
    engine = open_engine(args.bundle, args.precision, args.threads or 1)
    footprints_m = tuple(sorted(args.footprints)) if args.footprints else FOOTPRINTS_M
    sources = [{"sha256": identity(path), **one} for path, one in zip(args.imagery, told, strict=True)]
    dem = None if args.dem is None else identity(args.dem)
    asked = asked_of(engine, grids_of(footprints_m, args.stride), args.accuracy, dem)
    building = Workspace(args.out, {"imagery": sources, **asked})
    try:
        with contextlib.closing(_imported(args.imagery, building, told)) as imagery, progress("tiles") as tick:
            result = build(
                imagery,
                engine,
                args.out,
                footprints_m=footprints_m,
                stride_m=args.stride,
                accuracy_ce90_m=args.accuracy,
                heights=None if args.dem is None else _heights(args.dem, imagery, building),
                embedder=embedder,
                building=building,
                tick=tick,
            )
    except KeyboardInterrupt:
        print(f"{building.folder} keeps what is finished: the same command goes on from there", file=sys.stderr)
        raise
    _say(args.out, result, footprints_m, time.perf_counter() - started)
    print(f"map: {args.out.with_suffix('.mbtiles')}, zoom {imagery.zoom}; encoder: {engine.name}")


def _embedder(args: argparse.Namespace) -> Embedder:
    if args.ray is not None:
        from runtime.tiles.building.ray_cluster import check_cluster, on_ray

        check_cluster(args.ray)  # before the map is imported
        return partial(on_ray, address=args.ray, bundle=args.bundle)
    return partial(in_threads, workers=args.workers or os.cpu_count() or 1)


def _checked(args: argparse.Namespace) -> list[Told]:
    """What is told of each map; raises SettingsError or CacheError for arguments that cannot be."""
    lengths_m = [*(args.footprints or []), *([] if args.stride is None else [args.stride])]
    if not (args.accuracy >= 0 and all(0 < length_m < 1e6 for length_m in lengths_m)):
        raise SettingsError("--accuracy, --footprints and --stride are metres; expected positive numbers")
    if args.workers < 0 or args.threads < 0:
        raise SettingsError("--workers and --threads are numbers of threads; expected 0 or more")
    if args.out.suffix != ".tiles":
        raise CacheError(f"--out {args.out} must end in .tiles; the map is written beside it as .mbtiles")
    told = [{"name": path.stem} for path in args.imagery]
    for key in ("date", "attribution"):
        texts = getattr(args, key)
        if len(texts) not in {1, len(told)}:
            raise SettingsError(
                f"--{key} was given {len(texts)} times for {len(told)} maps; expected once, or once a map"
            )
        for one, text in zip(told, texts * len(told), strict=False):
            one[key] = text
    return told


def _imported(maps: Sequence[Path], building: Workspace, told: Sequence[Told]) -> Imagery:
    """The map, imported now or before this build was ended; what cannot be read leaves nothing behind."""
    try:
        if len(maps) == 1:
            return _import(maps[0], building.map_path, told[0], "map")
        if not building.map_path.is_file():
            paths = [building.map_path.with_name(f"map-{i}.mbtiles") for i in range(len(maps))]
            numbered = enumerate(zip(maps, paths, told, strict=True), 1)
            parts = [_import(source, path, one, f"map {i}") for i, (source, path, one) in numbered]
            with progress("mosaic") as tick:
                write_mosaic(parts, building.map_path, tick)
            for part in parts:
                part.close()
                part.path.unlink()
        return Imagery(building.map_path)
    except SkyfixError:
        building.remove()
        raise


def _heights(dem: Path, imagery: Imagery, building: Workspace) -> Heights:
    from runtime.maps.dem import read_dem

    try:
        return read_dem(dem, imagery)
    except SkyfixError:
        building.remove()
        raise


def _import(source: Path, out: Path, told: Told, what: str) -> Imagery:
    if out.is_file():  # whole, from before the build was ended
        return open_imported(out, date=told["date"], attribution=told["attribution"])
    with progress(what) as tick:
        return import_imagery(source, out, **told, tick=tick)


def _say(out: Path, result: BuildResult, footprints_m: Sequence[float], seconds: float) -> None:
    levels = ", ".join(f"{n} of {f:g} m" for n, f in zip(result.rows_by_level, footprints_m, strict=True))
    print(f"{out}: {result.rows} tiles ({levels}); left out: {left_out_text(result.left_out)}; {seconds:.1f} s")
