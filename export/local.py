"""``python -m export.local``: local features trained by ``train.local`` go into an encoder's bundle, and are proved."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.matcher import MAX_ERROR, OUTPUTS, check_graph, trace_matcher
from export.needs import require
from runtime.command import run_command
from runtime.errors import TrainError
from runtime.files import sha256_of
from runtime.model.bundle import MATCHER_FILE, Bundle, file_entry, write_manifest

if TYPE_CHECKING:
    from train.local.network import LocalNetwork

PATCH_PX = 320
MIN_AGREEMENT = (0.175, 0.15)  # alone, tracked; rendered flights: wrong fits reach 0.16, 98% of the right ones pass


def export_local(network: LocalNetwork, bundle: Bundle, *, training: dict[str, Any], patch_px: int) -> dict[str, float]:
    """Write ``matcher.onnx`` into the bundle and name it in its manifest; returns the largest error by output.

    Raises GateError where the graph disagrees with PyTorch; then the bundle stays as it was.
    """
    import onnx

    from export.precision import store_halved
    from runtime.files import whole_file
    from train.local.network import MULTIPLE_PX, STRIDE_PX, Deployed

    deployed = Deployed(network.half().float()).eval()  # what is stored is what is proved
    with whole_file(bundle.path / MATCHER_FILE) as partial:
        trace_matcher(deployed, partial)
        onnx.save(store_halved(onnx.load(partial)), partial)
        errors = check_graph(deployed, partial)
    manifest = dict(bundle.manifest)
    manifest["files"] = {**manifest["files"], MATCHER_FILE: file_entry(bundle.path / MATCHER_FILE, "fp32")}
    manifest["matcher"] = {
        "input": {"name": "image", "type": "uint8", "shape": [1, "H", "W", 3], "multiple_of_px": MULTIPLE_PX},
        "outputs": list(OUTPUTS),
        "stride_px": STRIDE_PX,
        "patch_px": patch_px,
        "min_agreement": list(MIN_AGREEMENT),
        "trunk": "the encoder's own, down to stride 16",
        "training": training,
        "gates": {"max_error": errors, "required": MAX_ERROR},
    }
    write_manifest(bundle.path, manifest)
    return errors


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
        default=PATCH_PX,
        help="side of a frame's patch in flight: time against detail (%(default)s)",
    )
    args = parser.parse_args(argv)
    return run_command("export.local", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    if args.patch_px < 96:
        raise TrainError(f"--patch-px {args.patch_px} shows too little; expected 96 or more, as {PATCH_PX}")
    require("torch", "timm", "onnx", "onnxscript", extra="export")
    from train.local.store import load_local

    bundle = Bundle.open(args.bundle)
    network, about = load_local(args.checkpoint, args.bundle)
    data = [f"{kind}:{Path(rest).name}" for kind, _, rest in (text.partition(":") for text in about["data"])]
    kept = {name: about[name] for name in ("only_may_ship", "seed", "footprint", "side", "batch", "scores")}
    training = {"data": data, **kept, "checkpoint_sha256": sha256_of(args.checkpoint)}
    errors = export_local(network, bundle, training=training, patch_px=args.patch_px)
    size = (args.bundle / MATCHER_FILE).stat().st_size
    print(f"{args.bundle / MATCHER_FILE}: {size / 1e6:.1f} MB, {max(errors.values()):.1e} from PyTorch at most")


if __name__ == "__main__":
    sys.exit(main())
