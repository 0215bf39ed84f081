"""``python -m export.trt``: a bundle's FP16 or INT8 graph, and on a device with TensorRT the engine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from export.options import DEFAULT_RANGE_RULE, RANGE_RULES, Int8Choices
from runtime.command import add_verbose, run_command


def main(argv: list[str] | None = None) -> int:
    """Make the graph, and the engine where TensorRT is; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.batch < 1:
        parser.error(f"--batch {args.batch} holds no picture: 1 is the least")
    choices = Int8Choices(
        args.ranges or DEFAULT_RANGE_RULE,
        tuple(args.keep_float),
        tuple((queries, gallery) for queries, gallery in args.gate),
        args.report,
        60 * args.minutes,
    )
    anew = bool(args.ranges or args.keep_float or args.gate or args.report)

    def command() -> None:
        from export.bundles.reduced import Reduction, reduce_bundle
        from export.engines.selection import build_engines

        reduction = Reduction(args.bundle, args.precision, choices, anew=anew)
        print("\n".join(reduce_bundle(reduction)), flush=True)
        if not args.graph_only:
            for line in build_engines(reduction.bundle, reduction.precision, args.batch):
                print(line, flush=True)

    return run_command("export.trt", command, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export.trt",
        description="Make a bundle's INT8 graph (Q/DQ nodes, gated against FP32) or FP16 graph, and build the engine "
        "from it where TensorRT is installed. An engine belongs to one GPU: build it on the device that flies.",
        epilog="Example: python -m export.trt --int8 edge.bundle --graph-only",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--fp16", dest="precision", action="store_const", const="fp16", help="the default")
    precision.add_argument(
        "--int8", dest="precision", action="store_const", const="int8", help="needs a set from python -m calib.int8"
    )
    parser.add_argument("bundle", type=Path, metavar="NAME.bundle", help="from python -m export.onnx")
    parser.add_argument("--graph-only", action="store_true", help="stop before TensorRT")
    parser.add_argument(
        "--batch", type=int, default=1, help="pictures a call of the engine; 4 for four headings (%(default)s)"
    )
    _add_int8(parser)
    add_verbose(parser)
    parser.set_defaults(precision="fp16")
    return parser


def _add_int8(parser: argparse.ArgumentParser) -> None:
    """Add what may be decided of an INT8 graph."""
    int8 = parser.add_argument_group("INT8")
    int8.add_argument(
        "--ranges",
        choices=RANGE_RULES,
        help=f"how an activation's range is taken from what was measured ({DEFAULT_RANGE_RULE})",
    )
    int8.add_argument(
        "--keep-float",
        nargs="+",
        action="extend",
        default=[],
        metavar="NODE",
        help="nodes that are not quantised, by name or with *, beside those that are found to be hurt",
    )
    int8.add_argument(
        "--gate",
        nargs=2,
        action="append",
        type=Path,
        default=[],
        metavar=("QUERIES", "GALLERY"),
        help="judge R@1 and metres too on a recorded flight with its truth.csv and a map.mbtiles, or R@1 on two "
        "folders of pictures of like names; may be given several times",
    )
    int8.add_argument("--report", type=Path, metavar="FOLDER", help="table and pictures (NAME.bundle/report)")
    int8.add_argument(
        "--minutes", type=float, default=5.0, help="at most, of measuring which nodes INT8 hurts (%(default)s)"
    )


if __name__ == "__main__":
    sys.exit(main())
