"""Frame to fix, by stage, against what cannot be avoided: the bare networks on the same pictures.

    python benchmarks/frame_latency.py FLIGHT --tiles AREA.tiles [--threads 2]

The floor is one pass of the encoder and one of the local features on a patch, measured in the same run; the ratio
says what the path around them costs. Map features of places seen before are kept, so the flight is flown twice and the
second time counts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from report import median_ms, print_setting

from runtime.flights.flight import Flight
from runtime.locate.features import LocalFeatures
from runtime.locate.load import open_localizer
from runtime.model.bundle import DEFAULT_BUNDLE, Bundle
from runtime.model.load import open_engine
from runtime.replay.replay import fly
from runtime.replay.score import latency
from runtime.tiles.cache import TileCache


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flight", type=Path)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print_setting(args.threads)
    flight, cache = Flight.open(args.flight), TileCache.open(args.tiles)
    localizer = open_localizer(cache, flight.camera, bundle=None, matcher=None, start=None, threads=args.threads)
    fly(flight, localizer)
    localizer.forget()
    verdicts, stages_ms = fly(flight, localizer)
    floor_ms = _bare_networks_ms(args.threads, cache.metadata.encoder.precision)
    found = latency(verdicts, stages_ms)
    print(f"{flight.name}: {len(verdicts)} frames of {flight.camera.width_px} x {flight.camera.height_px}, second pass")
    for name, ms in found.items():
        print(f"  {name:<9} p50 {ms.p50:7.1f} ms   p99 {ms.p99:7.1f} ms")
    print(f"  bare networks, once each: {floor_ms:.1f} ms; frame p50 over that: {found['frame'].p50 / floor_ms:.2f}")


def _bare_networks_ms(threads: int, precision: str) -> float:
    rng = np.random.default_rng(0)
    engine = open_engine(None, precision, threads)
    features = LocalFeatures(Bundle.open(DEFAULT_BUNDLE), threads)
    small = rng.integers(0, 256, (1, engine.side_px, engine.side_px, 3), np.uint8)
    large = rng.integers(0, 256, (1, features.patch_px, features.patch_px, 3), np.uint8)
    return median_ms(lambda: engine.embed(small), 30) + median_ms(lambda: features.dense(large[0]), 15)


if __name__ == "__main__":
    main()
