"""``python -m export.golden``: what a bundle's engines are checked against when they open (``runtime.model.golden``).

``export.onnx`` and ``export.trt`` write it on their own; the command is for bundles that were made without.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from export.needs import require
from runtime.command import run_command
from runtime.model.bundle import ENCODER_FILES, INT8_ON_CPU, Bundle, write_manifest

_SLACK = 0.002  # for an exact graph: libraries sum in other orders, and a GPU's FP32 may be TF32
_FACTOR = 3  # kernels round where the graph as written does not; saturating ones lose a hundred times as much


def golden_of(folder: Path, precisions: Iterable[str], side_px: int) -> dict[str, Any]:
    """The manifest's ``golden`` for graphs in the folder: FP32's embedding, and how near an engine must come to it.

    A graph as it is written loses 1 - c of the cosine; an engine of it may lose three times that, and 0.002. Of INT8's
    twins the one that loses more counts.
    """
    from export.parity import embed
    from runtime.model.golden import golden_entry, golden_picture

    picture = golden_picture(side_px)[None]
    wanted = embed(folder / ENCODER_FILES["fp32"], picture)[0]
    min_cosine = {}
    for precision in precisions:
        twins = [folder / name for name in (INT8_ON_CPU,) if precision == "int8" and (folder / name).is_file()]
        graphs = [folder / ENCODER_FILES[precision], *twins]
        cosine = min(float(embed(graph, picture, optimise=False)[0] @ wanted) for graph in graphs)
        min_cosine[precision] = round(1 - _FACTOR * max(0.0, 1 - cosine) - _SLACK, 5)
    return golden_entry(wanted, min_cosine)


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
    args = parser.parse_args(argv)
    return run_command("export.golden", lambda: _run(args.bundle))


def _run(path: Path) -> None:
    require("onnx", extra="export")
    bundle = Bundle.open(path)
    for precision in ("fp32", *bundle.precisions):
        bundle.file(ENCODER_FILES[precision])  # altered graphs state nothing
    golden = golden_of(path, bundle.precisions, bundle.side_px)
    write_manifest(path, {**bundle.manifest, "golden": golden})
    told = ", ".join(f"{p} {cosine:.4f}" for p, cosine in golden["min_cosine"].items())
    print(f"{path}: engines must come to the golden embedding by cosine: {told}")


if __name__ == "__main__":
    sys.exit(main())
