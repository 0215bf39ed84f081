"""``python -m export.golden``: enter what a bundle's engines are checked against when they open.

``export.onnx`` and ``export.trt`` do it on their own; the command is for bundles that were made without.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from export.needs import require
from runtime.command import add_verbose, run_command


def main(argv: list[str] | None = None) -> int:
    """Enter the golden embedding into a bundle's manifest; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export.golden",
        description="Enter into a bundle's manifest what its FP32 graph makes of a picture that any machine can draw; "
        "an engine that computes something else is then refused when it opens.",
        epilog="Example: python -m export.golden edge.bundle",
    )
    parser.add_argument(
        "bundle", type=Path, metavar="NAME.bundle", help="a bundle of before; its graphs stay as they are"
    )
    add_verbose(parser)
    args = parser.parse_args(argv)
    path: Path = args.bundle

    def command() -> None:
        require("onnx", extra="export")
        from export.bundles.golden import enter_golden

        cosines = ", ".join(f"{precision} {cosine:.4f}" for precision, cosine in enter_golden(path).items())
        print(f"{path}: engines must come to the golden embedding by cosine: {cosines}")

    return run_command("export.golden", command, verbose=args.verbose)


if __name__ == "__main__":
    sys.exit(main())
