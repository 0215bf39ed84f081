"""``python -m calib.int8``: choose the pictures that a bundle's INT8 ranges will be measured on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from calib.options import LEAST_PICTURES
from runtime.command import add_verbose, run_command


def main(argv: list[str] | None = None) -> int:
    """Choose a calibration set; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.count < LEAST_PICTURES:
        parser.error(f"--count {args.count} is too few: {LEAST_PICTURES} is the least")

    def command() -> None:
        from calib.samples.choice import SetRequest, make_set

        request = SetRequest(tuple(args.sources), args.bundle, args.count, args.seed, args.sheet)
        print(make_set(request).describe())

    return run_command("calib.int8", command, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m calib.int8",
        description="Choose the pictures on which INT8 ranges are measured, and store them in the bundle's folder. "
        "Take what the drone will see and the map it will search: ranges are only right for what was shown.",
        epilog="Example: python -m calib.int8 --from flights/one --from area.mbtiles --bundle edge.bundle\n"
        "Next: python -m export.trt --int8 edge.bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--from",
        dest="sources",
        type=Path,
        action="extend",
        nargs="+",
        required=True,
        metavar="FOLDER",
        help="a recorded flight, a map.mbtiles, or a folder of pictures; give several",
    )
    parser.add_argument("--bundle", type=Path, required=True, metavar="NAME.bundle", help="from python -m export.onnx")
    parser.add_argument("--count", type=int, default=256, help="pictures in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed, the same pictures (%(default)s)")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="also draw some 64 of them")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
