"""Frame to fix, by stage, against what cannot be avoided: the bare networks on the same pictures.

    python benchmarks/frame_latency.py FLIGHT --tiles AREA.tiles [--threads 2] [--area KM2 ...]

The floor is one pass of the encoder and one of the local features on a patch, measured in the same run; the ratio
says what the path around them costs. Map features of places seen before are kept, so the flight is flown twice and the
second time counts. Frames that track and frames that are lost are told apart: for the latter all is forgotten before
each. With ``--area`` the cache is grown to so many square kilometres, its rows replicated with their statistics.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

import numpy as np
from grown_cache import grown
from report import median_ms, print_setting

from runtime.fix import Fix, Verdict
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
    parser.add_argument("--area", type=float, nargs="*", default=[0.0], metavar="KM2", help="grow the cache to this")
    args = parser.parse_args()
    print_setting(args.threads)
    flight, cache = Flight.open(args.flight), TileCache.open(args.tiles)
    floor_ms = _bare_networks_ms(args.threads, cache.metadata.encoder.precision)
    print(f"bare networks, once each: {floor_ms:.1f} ms")
    for area_km2 in args.area:
        with tempfile.TemporaryDirectory() as folder:
            flown = grown(cache, _level(cache), area_km2, Path(folder)) if area_km2 else cache
            _measure(flight, flown, area_km2, args.threads, floor_ms)


def _level(cache: TileCache) -> int:
    """The level with the largest footprint that has rows."""
    return max(i for i, level in enumerate(cache.metadata.levels) if level.rows)


def _measure(flight: Flight, cache: TileCache, area_km2: float, threads: int, floor_ms: float) -> None:
    localizer = open_localizer(cache, flight.camera, bundle=None, matcher=None, start=None, threads=threads)
    fly(flight, localizer)
    localizer.forget()
    verdicts, stages_ms = fly(flight, localizer)
    tracked = [(v, ms) for v, ms in zip(verdicts, stages_ms, strict=True) if "search" not in ms]
    lost: list[tuple[Verdict, dict[str, float]]] = []
    for frame in flight.frames():
        localizer.forget()
        lost.append((localizer.step(frame), localizer.stages_ms))
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    about = f"{cache.metadata.rows:,} rows" + (f", {area_km2:g} km2" if area_km2 else "")
    fixes = sum(isinstance(v, Fix) for v in verdicts)
    print(f"{flight.name}: {len(verdicts)} frames, {fixes} fixes, {about}; memory at most {peak_gb:.1f} GB")
    for name, some in (("tracking", tracked), ("lost", lost)):
        if not some:
            continue
        found = latency([v for v, _ in some], [ms for _, ms in some])
        whole = found.pop("frame")
        stages = ", ".join(f"{stage} {ms.p50:.1f}" for stage, ms in found.items())
        ratio = f"{whole.p50 / floor_ms:.2f} of the networks"
        print(f"  {name:<9} {len(some)} frames: p50 {whole.p50:6.1f} ms, p99 {whole.p99:6.1f} ms, {ratio} ({stages})")


def _bare_networks_ms(threads: int, precision: str) -> float:
    rng = np.random.default_rng(0)
    engine = open_engine(None, precision, threads)
    features = LocalFeatures(Bundle.open(DEFAULT_BUNDLE), threads)
    small = rng.integers(0, 256, (1, engine.side_px, engine.side_px, 3), np.uint8)
    large = rng.integers(0, 256, (1, features.patch_px, features.patch_px, 3), np.uint8)
    return median_ms(lambda: engine.embed(small), 30) + median_ms(lambda: features.dense(large[0]), 15)


if __name__ == "__main__":
    main()
