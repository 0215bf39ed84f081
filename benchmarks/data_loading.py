"""Does the loader feed the encoder? Pictures a second from workers, and pictures a second that ``edge`` trains on.

    python benchmarks/data_loading.py overhead:PICTURES ... [--workers 2] [--side 224] [--batch 32] [--profile]

Each is measured with the machine to itself, by turns, so that a busy machine is unfair to both alike; then both run
together, as they do in training. The loader starts anew each time and its first batches are not counted: workers
fill a queue while nobody takes from it. ``--profile`` says where a picture's time goes, in this process.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import torch
from report import print_setting

from train.data.batch import Batch
from train.data.dataset import Item, PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.fit.batches import load_batches, steps_on
from train.fit.run_state import Run
from train.fit.sampler import PlaceSampler
from train.spec import PRESETS, TrainSpec

_QUEUED = 2  # batches that a worker prepares ahead
_PROFILED = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("data", nargs="*", default=["world:1"], metavar="KIND:PATH", help="as --data of train.run (default: world:1)")
    add("--workers", type=int, default=2)
    add("--threads", type=int, default=0, help="of torch; 0: as it likes")
    add("--side", type=int, default=224)
    add("--batch", type=int, default=16)
    add("--batches", type=int, default=4, help="counted in each round")
    add("--rounds", type=int, default=3)
    add("--device", default="auto")
    add("--profile", action="store_true")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if args.threads:
        torch.set_num_threads(args.threads)
    edge = PRESETS["edge"]
    spec = replace(
        edge,
        data=tuple(args.data),
        encoder=replace(edge.encoder, side_px=args.side),
        **{name: getattr(args, name) for name in ("batch", "workers", "threads", "device")},
    )
    print_setting(args.threads)
    sources = open_sources(spec.data, Choice("train"), spec.view)
    data = PairDataset(sources, seed=0, side_px=args.side, strength=spec.augment)
    with tempfile.TemporaryDirectory() as folder:
        measure(Run(spec, Path(folder)), data, args.batches, args.rounds)
    if args.profile:
        profile(data)


def measure(run: Run, data: PairDataset, batches: int, rounds: int) -> None:
    """Print medians of the rounds, in pictures a second; a pair is two pictures."""
    spec = run.spec
    warm = 1 + spec.workers * _QUEUED
    one = next(loaded(spec, data))
    rates: dict[str, list[float]] = {"loader": [], "training": [], "together": []}
    for _ in range(rounds):
        rates["loader"].append(rate(loaded(spec, data), spec, batches, warm))
        rates["training"].append(rate(steps_on(run, repeat(one)), spec, batches, 2))
        rates["together"].append(rate(steps_on(run, loaded(spec, data)), spec, batches, 2))
    median = {name: float(np.median(found)) for name, found in rates.items()}
    print(
        f"{', '.join(spec.data)}: {len(data)} scenes; {spec.encoder.backbone} at {spec.encoder.side_px} px, batches of "
        f"{spec.batch} pairs, {spec.workers} workers, {run.device}"
    )
    for name, found in rates.items():
        print(f"  {name:9} {median[name]:7.1f} pictures/s  (rounds: {', '.join(f'{r:.0f}' for r in found)})")
    print(f"  the loader is {median['loader'] / median['training']:.1f} times as fast as training")


def loaded(spec: TrainSpec, data: PairDataset) -> Iterator[Batch]:
    return load_batches(spec, data, batch_sampler=PlaceSampler(data.places, spec.batch, seed=spec.seed))


def rate(steps: Iterator[object], spec: TrainSpec, batches: int, warm: int) -> float:
    """Pictures a second of ``batches`` steps after ``warm`` that are not counted."""
    for _ in islice(steps, warm):
        pass
    started = perf_counter()
    for _ in islice(steps, batches):
        pass
    return 2 * spec.batch * batches / (perf_counter() - started)


def profile(data: PairDataset) -> None:
    """Print where the time of a picture goes."""
    watch = cProfile.Profile()
    with watch:
        for k in range(_PROFILED):
            data[Item(0, k % len(data))]
    stats = pstats.Stats(watch)
    print(f"  {stats.total_tt / _PROFILED / 2 * 1e3:.1f} ms a picture under the profiler:")  # type: ignore[attr-defined]
    stats.sort_stats("tottime").print_stats(16)


if __name__ == "__main__":
    main()
