"""``python -m export.onnx``: a checkpoint becomes an encoder bundle, each graph proved against PyTorch."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from export.needs import require
from runtime.command import add_verbose, run_command


def main(argv: list[str] | None = None) -> int:
    """Export a checkpoint; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if min(args.static, default=1) < 1:
        parser.error(f"--static {min(args.static)} holds no picture: 1 is the least")

    def command() -> None:
        require("torch", "timm", "onnx", "onnxscript", extra="export")
        from export.bundles.encoder import EncoderExport, export_checkpoint

        export = EncoderExport(
            args.checkpoint,
            args.out,
            args.licence,
            dim=args.dim,
            small=args.small,
            static=tuple(args.static),
            pictures=args.pictures,
        )
        print("\n".join(export_checkpoint(export).describe()))

    return run_command("export.onnx", command, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export.onnx",
        description="Turn a training checkpoint into an encoder bundle: FP32 and FP16 graphs that read camera bytes.",
        epilog="Example: python -m export.onnx runs/edge/best.safetensors --out edge.bundle\n"
        "         python -m export.onnx runs/edge/best.safetensors --out short.bundle --dim 128 --pictures flight/\n"
        "Next: python -m calib.int8 --from FOLDER --bundle edge.bundle, then python -m export.trt --int8 edge.bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="a run's best.safetensors")
    parser.add_argument("--out", type=Path, required=True, metavar="NAME.bundle", help="the bundle's folder")
    parser.add_argument(
        "--small", action="store_true", help="one FP32 graph whose weights are stored as FP16: half the bytes, as fast"
    )
    parser.add_argument(
        "--dim", type=int, metavar="D", help="keep the first D numbers of an embedding, for a run with --matryoshka D"
    )
    parser.add_argument(
        "--static",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="a graph for exactly N pictures too, such as 1 and 4 (one heading, four): encoder.bN.onnx. For runtimes "
        "that want one; export.trt fixes the batch itself",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="SOURCE",
        help="prove the graphs on 32 pictures of this flight, map.mbtiles or folder (default: drawn ground)",
    )
    parser.add_argument("--licence", default="Apache-2.0", help="of the weights, for the manifest (%(default)s)")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
