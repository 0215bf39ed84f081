"""``python -m train.evaluate``: how well an encoder finds the place, on a public benchmark or on data of one's own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.command import add_verbose, run_command
from runtime.model.bundle import ENCODER_FILES
from train.choices import EVALUATED_SPLITS, PROTOCOLS
from train.scoring.evaluate_spec import EvaluateSpec

_EPILOG = """examples:
  python -m train.evaluate runs/paper/best.safetensors --data university1652:University-Release --out scores
      the official test, both directions, with its 250 distractors; scores.json, table.txt, places.csv, failures
  python -m train.evaluate my.bundle --data sues200:SUES-200-512x512#150 --protocol sample4geo --dim 128
      an exported bundle, its embeddings cut to 128 numbers, counted as the Sample4Geo family counts
  python -m train.evaluate runs/edge/best.safetensors --data overhead:pictures@0.3 --robustness
      the held-out places of a manifest.csv, as views rendered with errors of pose and another light

R@1% reads the public way: the right one among the first round(N / 100) + 1. AP is trapezoidal. A wrong picture that
is exactly as similar comes before the right one. Choose models on held-out train places (--split val), never here.

--robustness turns the drone's picture about its middle, scales it as another altitude would, and shifts it by a share
of its side; beyond its edges it goes on as its mirror image.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Score an encoder as the command line asks; returns 0 scored, 1 an error reported in one line, 2 usage."""
    parser = _parser()
    args = parser.parse_args(argv)
    for name in ("dim", "robustness", "workers"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name} must be 1 or more")
    values = vars(args)
    verbose = values.pop("verbose")
    spec = EvaluateSpec(**{**values, "data": tuple(values["data"])})

    def command() -> None:
        from train.scoring.evaluation import evaluate  # torch loads here: --help stays instant
        from train.scoring.report import print_report

        evaluate(spec, print_report)

    return run_command("train.evaluate", command, verbose=verbose)


def _parser() -> argparse.ArgumentParser:
    """Build the parser; each argument is a field of :class:`EvaluateSpec`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate",
        description="Score an encoder: for each picture the right one of the other view among all.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("encoder", type=Path, metavar="CHECKPOINT|BUNDLE", help="a .safetensors file of a run, or a .bundle folder")
    add("--data", action="append", required=True, metavar="KIND:PATH[@GSD]", help="as for train.run")
    add(
        "--split",
        choices=EVALUATED_SPLITS,
        help="test: a benchmark's own (its default); else which places, as rendered pairs (default: val)",
    )
    add(
        "--protocol",
        choices=PROTOCOLS,
        default="official",
        help="official keeps distractors in the gallery; sample4geo deletes them, which lifts R@1 (default: official)",
    )
    add("--flips", action="store_true", help="sum each embedding with that of the mirrored picture; say so in a paper")
    add("--dim", type=int, metavar="D", help="keep the first D numbers of an embedding (a run with --matryoshka)")
    add("--robustness", nargs="?", type=int, const=500, metavar="N", help="R@1 over errors of pose, N queries (500)")
    add("--augment", type=float, default=1.0, metavar="0..1", help="how much rendered views change (default: 1)")
    add(
        "--precision",
        choices=tuple(ENCODER_FILES),
        help="of a bundle (default: fp32, or fp16 where it has none)",
    )
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="threads that read pictures")
    add("--report", type=Path, metavar="FILE", help="write the scores alone, as JSON")
    add("--out", type=Path, metavar="FOLDER", help="write scores.json, table.txt, places.csv and pictures of failures")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
