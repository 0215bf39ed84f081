"""``python -m train.data``: is a data set whole, and does it look right?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runtime.command import add_verbose, run_command
from train.data.split import TRAIN_SPLITS

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


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 0 where nothing is wrong, 1 where something is and is said, 2 for wrong usage."""
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
    add("--split", choices=TRAIN_SPLITS, default="train", help="which places the sheet shows (default: train)")
    add("--augment", type=float, default=1.0, metavar="0..1", help="how much light, season and sensor change")
    add("--thorough", action="store_true", help="read every picture, not 200 of them")
    add_verbose(parser)
    args = parser.parse_args(argv)
    if args.pairs < 1 or args.side < 32:
        parser.error("--pairs must be 1 or more, and --side 32 or more")

    def check() -> None:
        from train.data.check import CheckSpec, check_data  # NumPy and OpenCV load here: --help stays instant

        spec = CheckSpec(
            data=tuple(args.data),
            picture=args.picture,
            pairs=args.pairs,
            side_px=args.side,
            split=args.split,
            augment=args.augment,
            thorough=args.thorough,
        )
        for line in check_data(spec):
            print(line)

    return run_command("train.data", check, verbose=args.verbose)


if __name__ == "__main__":
    sys.exit(main())
