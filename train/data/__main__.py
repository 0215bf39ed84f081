"""``python -m train.data``: is a data set whole, and does it look right?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.command import run_command
from runtime.errors import DataError

if TYPE_CHECKING:
    from train.data.benchmarks.registry import Found
    from train.data.source import PairSource

_EPILOG = """examples:
  python -m train.data university1652:University-Release --picture pairs.png
      what there is against the full benchmark, and pairs as the trainer will get them
  python -m train.data sues200:SUES-200-512x512#150 --thorough
      one height; every picture is read
  python -m train.data overhead:pictures@0.3 --picture pairs.png
      places to train on and held back, for any kind of data that train.run takes; --augment 0 shows the pairs
      before light and season are changed

Drone left, tile right: both must show the same ground at about the same scale, and for rectified kinds (all but
university1652, sues200 and denseuav) about the same way up.
"""
_SAMPLED = 200
_SEED = 0


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 nothing wrong, 1 something is (told in words), 2 usage."""
    parser = argparse.ArgumentParser(
        prog="python -m train.data",
        description="Check data before training on it: what was found, what is wrong with it, what pairs look like.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("data", nargs="+", metavar="KIND:PATH", help="as --data of train.run")
    add("--picture", type=Path, metavar="FILE.png", help="write a sheet of pairs")
    add("--pairs", type=int, default=16, metavar="N", help="how many on the sheet (default: 16)")
    add("--side", type=int, default=192, metavar="PX", help="side of a picture on the sheet (default: 192)")
    add("--split", choices=["train", "val"], default="train", help="which places the sheet shows (default: train)")
    add("--augment", type=float, default=1.0, metavar="0..1", help="how much light, season and sensor change")
    add("--thorough", action="store_true", help=f"read every picture, not {_SAMPLED} of them")
    args = parser.parse_args(argv)
    if args.pairs < 1 or args.side < 32:
        parser.error("--pairs must be 1 or more, and --side 32 or more")
    return run_command("train.data", lambda: _check(args))


def _check(args: argparse.Namespace) -> int:
    from train.data.benchmarks.registry import BENCHMARKS, Found
    from train.data.manifest import Choice
    from train.data.open import Entry, open_entry
    from train.data.view_pair import ViewSpec

    faults: list[str] = []
    shown: list[PairSource] = []
    for text in args.data:
        entry = Entry.parse(text)
        print(text)
        found = Found.parse(entry.kind, entry.where) if entry.kind in BENCHMARKS else None
        if found:
            _print_benchmark(found)
            faults += found.faults()
        files = set(found.pictures() if found else ())
        for split in ("train", "val"):
            try:
                source = open_entry(entry, Choice(split), ViewSpec())
            except DataError as error:
                if not found:
                    raise
                print(f"  {split:6} none: {error}")  # a benchmark's test alone is no fault
                continue
            print(f"  {split:6} {len(set(source.places))} places, {len(source.places)} scenes")
            files |= set(source.files)
            if split == args.split and source.places:
                shown.append(source)
        faults += _unreadable(sorted(files), thorough=args.thorough)
    if args.picture:
        _draw(args, shown)
    for fault in dict.fromkeys(faults):
        print(f"  wrong: {fault}")
    if faults:
        raise DataError(f"{len(set(faults))} things are wrong, as told above")
    return 0


def _print_benchmark(found: Found) -> None:
    lines = found.table()
    width = max(len(line.name) for line in lines)
    print(f"  {'':{width}}  {'places':>7} {'pictures':>9}    of {'places':>7} {'pictures':>9}")
    for name, here, full, note in lines:
        whole = f"       {full.places:7} {full.pictures:9}" if full else " " * 24
        print(f"  {name:{width}}  {here.places:7} {here.pictures:9} {whole}  {note}".rstrip())
    deviations = found.deviations()
    print(f"  the full benchmark: {'yes' if not deviations else 'no; scores may not bear its name alone'}")
    try:
        for asked in found.retrieval_sets():
            print(f"  {asked.name}: {len(asked.queries)} queries, gallery {len(asked.gallery)}")
    except DataError as error:
        print(f"  nothing to score: {error}")


def _unreadable(files: Sequence[Path], *, thorough: bool) -> list[str]:
    """What cannot be read, of all files or of some, spread evenly."""
    from train.data.broken_pictures import broken_pictures

    step = 1 if thorough else max(1, len(files) // _SAMPLED)
    looked_at = files[::step]
    if files:
        print(f"  {len(looked_at)} of {len(files)} pictures read{'' if thorough else ' (--thorough reads all)'}")
    return [f"{path} cannot be read: {why}" for path, why in broken_pictures(looked_at).items()]


def _draw(args: argparse.Namespace, sources: Sequence[PairSource]) -> None:
    import numpy as np

    from train.data.dataset import Item, PairDataset
    from train.data.sheet import write_sheet

    data = PairDataset(sources, seed=_SEED, side_px=args.side, strength=args.augment)
    if not len(data):
        raise DataError(f"no places in split {args.split} to draw")
    names = [place for source in sources for place in source.places]
    scenes = np.random.default_rng(_SEED).permutation(len(data))[: args.pairs]
    views = [(names[k], data.views(Item(0, int(k)))) for k in sorted(scenes)]
    write_sheet(args.picture, [(name, view.drone, view.tile) for name, view in views])
    print(args.picture)


if __name__ == "__main__":
    sys.exit(main())
