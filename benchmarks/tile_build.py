"""Tile builds in one run: throughput against the bare engine's, peak memory as the area grows, bytes a square km.

    python benchmarks/tile_build.py MAP.tif [--workers 2] [--stride 24]

The bare engine embeds the build's own pictures, held in memory, in the build's batches: as one engine with so many
threads, and as so many one-thread runs side by side, which is how a build uses it. Memory and size are those of builds
in processes of their own, over the map and over sixteen copies of it side by side.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from report import print_setting

from runtime.geo.mercator import Tile, ground_scale
from runtime.maps.imagery import Imagery
from runtime.maps.importing import import_imagery
from runtime.maps.mbtiles import write_tiles
from runtime.model.engine import Engine
from runtime.model.load import open_engine
from runtime.tiles.building.build import build
from runtime.tiles.building.embed_block import BATCH
from runtime.tiles.building.spec import BuildSpec
from runtime.tiles.building.threads import in_threads
from runtime.tiles.building.window_cutter import WindowCutter
from runtime.tiles.building.window_filter import LeftOut, filter_window
from runtime.tiles.cache import TileCache
from runtime.tiles.windows import Grid

FOOTPRINT_M = 64.0
SIZE_STRIDE_M = 50.0  # of the goal for the size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("map", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stride", type=float, default=24.0, help="of the throughput's tiles, metres (%(default)s)")
    args = parser.parse_args()
    print_setting(args.workers)
    with tempfile.TemporaryDirectory() as folder:
        area = Path(folder) / "area.mbtiles"
        imagery = import_imagery(args.map, area, name="", date="", attribution="", tick=lambda done, total: None)
        throughput(imagery, args.workers, args.stride)
        large = copies(imagery, Path(folder) / "large.mbtiles", 4)
        imagery.close()
        memory_and_size([area, large], args.workers)


def throughput(imagery: Imagery, workers: int, stride_m: float) -> None:
    """Tiles a second, of engines alone and of the build."""
    one, many = (open_engine(None, None, threads) for threads in (1, workers))
    pictures = pictures_of(imagery, one.side_px, stride_m)
    print(f"{many.name}, {one.side_px} px, batches of {BATCH}, {len(pictures)} tiles of {FOOTPRINT_M:g} m")
    bare = side_by_side(many, pictures, 1)
    beside = side_by_side(one, pictures, workers)
    out = imagery.path.with_suffix(".tiles")
    started = perf_counter()
    spec = BuildSpec(footprints_m=(FOOTPRINT_M,), stride_m=stride_m)
    result = build(imagery, one, out, spec, embedder=partial(in_threads, workers=workers))
    whole = result.rows / (perf_counter() - started)
    print(f"  one engine, {workers} threads        {bare:7.1f} tiles/s")
    print(f"  {workers} one-thread runs at once   {beside:7.1f} tiles/s")
    print(f"  build, {workers} workers            {whole:7.1f} tiles/s, {whole / bare:.2f} and {whole / beside:.2f}")


def pictures_of(imagery: Imagery, side_px: int, stride_m: float) -> NDArray[np.uint8]:
    """What the build embeds, (N, side_px, side_px, 3)."""
    grid = Grid(0, FOOTPRINT_M, stride_m)
    cutter = WindowCutter(imagery, grid, side_px)
    blocks = grid.blocks(imagery.bounds)
    looks = (filter_window(*cutter.cut(w)) for block in blocks for w in grid.windows(block, imagery.bounds))
    return np.stack([look for look in looks if not isinstance(look, LeftOut)])


def side_by_side(engine: Engine, pictures: NDArray[np.uint8], runs: int) -> float:
    """Tiles a second of so many runs of an engine at once."""
    engine.embed(pictures[:BATCH])
    batches = [pictures[first : first + BATCH] for first in range(0, len(pictures), BATCH)]
    with ThreadPoolExecutor(runs) as pool:
        started = perf_counter()
        list(pool.map(engine.embed, batches))
        return len(pictures) / (perf_counter() - started)


def copies(imagery: Imagery, out: Path, across: int) -> Path:
    """The map so many times from west to east and from north to south."""
    low, high = imagery.corners
    width, height = high.x - low.x + 1, high.y - low.y + 1
    places = [(x, y) for y in range(low.y, high.y + 1) for x in range(low.x, high.x + 1)]
    stored = {place: imagery.stored(Tile(imagery.zoom, *place)) for place in places}
    tiles = (
        (Tile(imagery.zoom, x + i * width, y + j * height), data)
        for j in range(across)
        for i in range(across)
        for (x, y), data in stored.items()
        if data is not None
    )
    write_tiles(out, tiles, {"name": "copies"})
    return out


def memory_and_size(maps: list[Path], workers: int) -> None:
    """Build each map on one level, and print the memory and the disk that it takes."""
    for path in maps:
        out = path.with_name(f"{path.stem}_{SIZE_STRIDE_M:g}.tiles")
        command = ["build", "--imagery", str(path), "--out", str(out), "--footprints", f"{FOOTPRINT_M:g}"]
        command += ["--stride", f"{SIZE_STRIDE_M:g}", "--workers", str(workers)]
        with subprocess.Popen([sys.executable, "-m", "runtime.tiles", *command], stdout=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"the build of {path} failed")
        with contextlib.closing(Imagery(path)) as imagery:
            bounds, scale = imagery.bounds, ground_scale(imagery.bounds.centre.lat)
        km2 = (bounds.east - bounds.west) * (bounds.north - bounds.south) * scale**2 / 1e6
        cache = TileCache.open(out)
        shown_km2 = len(cache.level) * SIZE_STRIDE_M**2 / 1e6  # a tile stands for a stride's square
        size_kb, peak_mib = out.stat().st_size / 1e3, used.ru_maxrss / 1024
        shape = f"{len(cache.level):6d} tiles every {SIZE_STRIDE_M:g} m, {cache.embedding.shape[1]}-D"
        print(f"  {km2:6.2f} km2, {shape}: peak {peak_mib:.0f} MiB, {size_kb / shown_km2:.1f} kB a km2 that they show")


if __name__ == "__main__":
    main()
