"""``python -m export.local``: local features trained by ``train.local`` go into an encoder's bundle, and are proved."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from export.needs import require
from export.options import DEFAULT_PATCH_PX
from runtime.command import add_verbose, run_command
from runtime.model.bundle import MATCHER_FILE


def main(argv: list[str] | None = None) -> int:
    """Export local features; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export.local",
        description="Put local features into an encoder's bundle: registration then needs no other matcher.",
        epilog="Example: python -m export.local runs/local/local.safetensors --bundle edge.bundle\n"
        "Next: python -m runtime.replay FLIGHT --tiles AREA.tiles --bundle edge.bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="a run's local.safetensors")
    parser.add_argument(
        "--bundle", type=Path, required=True, metavar="NAME.bundle", help="of the encoder it was made on"
    )
    parser.add_argument(
        "--patch-px",
        type=int,
        default=DEFAULT_PATCH_PX,
        help="side of a frame's patch in flight: time against detail (%(default)s)",
    )
    add_verbose(parser)
    args = parser.parse_args(argv)

    def command() -> None:
        require("torch", "timm", "onnx", "onnxscript", extra="export")
        from export.bundles.local_features import LocalExport, export_local_features

        export = LocalExport(args.checkpoint, args.bundle, args.patch_px)
        errors = export_local_features(export)
        graph = export.bundle / MATCHER_FILE
        megabytes = graph.stat().st_size / 1e6
        print(f"{graph}: {megabytes:.1f} MB, {max(errors.values()):.1e} from PyTorch at most")

    return run_command("export.local", command, verbose=args.verbose)


if __name__ == "__main__":
    sys.exit(main())
