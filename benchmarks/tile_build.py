"""Tile-build throughput against the bare engine's on the same pictures, in one run.

python benchmarks/tile_build.py MAP.tif [--threads 2]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from report import print_setting

from runtime.model.load import open_engine
from runtime.tiles.build import BATCH, build, window_picture
from runtime.tiles.grid import Window, windows_over
from runtime.tiles.sources import import_imagery

FOOTPRINT_M = 64.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("map", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print_setting(args.threads)
    engine = open_engine(None, None, args.threads)
    with tempfile.TemporaryDirectory() as folder:
        area = Path(folder) / "area.mbtiles"
        imagery = import_imagery(args.map, area, name="", date="", attribution="", tick=lambda done, total: None)
        windows: list[Window] = windows_over(imagery.bounds, 0, FOOTPRINT_M, FOOTPRINT_M / 4)
        found = [window_picture(imagery, window, engine.side_px) for window in windows]
        pictures = np.array([p for p in found if p is not None])
        engine.embed(pictures[:BATCH])
        started = perf_counter()
        for first in range(0, len(pictures), BATCH):
            engine.embed(pictures[first : first + BATCH])
        bare = len(pictures) / (perf_counter() - started)
        started = perf_counter()
        result = build(imagery, engine, area.with_suffix(".tiles"), footprints_m=(FOOTPRINT_M,))
        whole = result.rows / (perf_counter() - started)
    print(f"{engine.name}, {engine.side_px} px, batches of {BATCH}, {result.rows} tiles of {FOOTPRINT_M:g} m")
    print(f"  bare engine {bare:6.1f} tiles/s")
    print(f"  build       {whole:6.1f} tiles/s, {whole / bare:.2f} of it")


if __name__ == "__main__":
    main()
