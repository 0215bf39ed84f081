"""``python -m export.estimate``: how fast a bundle's encoder might be on a Jetson. An estimate, not a measurement."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from export.estimates.jetsons import ESTIMATED_PRECISIONS, MODULES
from export.needs import require
from runtime.command import add_verbose, run_command


def main(argv: list[str] | None = None) -> int:
    """Print the estimate; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.batch < 1:
        parser.error(f"--batch {args.batch} holds no picture: 1 is the least")

    def command() -> None:
        require("onnx", extra="export")
        from export.estimates.roofline import EstimateRequest, estimate

        print("\n".join(estimate(EstimateRequest(args.bundle, args.device, args.precision, args.batch))))

    return run_command("export.estimate", command, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export.estimate",
        description="Estimate how long a bundle's encoder takes on a Jetson, from the arithmetic and the memory "
        "traffic of its graph: a range, never a measurement. What a board really does is in the sidecar that "
        "export.trt writes there.",
        epilog="boards: " + ", ".join(f"{key} ({module.name})" for key, module in MODULES.items()) + "\n"
        "Example: python -m export.estimate edge.bundle --device orin-nano-super --precision int8\n"
        "         python -m export.estimate edge.bundle --all",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="NAME.bundle", help="from python -m export.onnx")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--device", choices=MODULES, metavar="BOARD", help="one board, with its slowest kernels")
    which.add_argument("--all", action="store_true", help="all boards in all precisions, as a table")
    parser.add_argument("--precision", choices=ESTIMATED_PRECISIONS, default="fp16", help="for --device (%(default)s)")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="pictures a call (%(default)s)")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
