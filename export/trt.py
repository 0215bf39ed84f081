"""``python -m export.trt``: a bundle's FP16 or INT8 graph, and on a device with TensorRT the engine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.needs import require
from runtime.command import run_command
from runtime.model.bundle import ENCODER_FILES, INT8_ON_CPU, Bundle, file_entry, write_manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from export.int8 import Made


def make_fp16(bundle: Bundle) -> float:
    """Write ``encoder.fp16.onnx`` where the bundle has none; its worst cosine to FP32. Raises GateError."""
    require("onnx", extra="export")
    import onnx

    from export.onnx import MIN_COSINE
    from export.parity import check_parity, embed
    from export.pictures import land_like
    from export.precision import load_graph, to_fp16
    from runtime.files import whole_file

    fp32, path = bundle.file(ENCODER_FILES["fp32"]), bundle.path / ENCODER_FILES["fp16"]
    pictures = land_like(8, bundle.side_px, bundle.side_px)
    with whole_file(path) as partial:
        onnx.save(to_fp16(load_graph(fp32)), partial)
        required = MIN_COSINE["fp16"]
        cosine = check_parity(embed(fp32, pictures), embed(partial, pictures), what=path.name, min_cosine=required)
    enter(bundle, "fp16", {"min_cosine": cosine, "required": required, "to": "fp32"})
    return cosine


def enter(bundle: Bundle, precision: str, gate: dict[str, Any]) -> None:
    """Add a graph that has just been written to the bundle's manifest."""
    from export.golden import golden_of

    manifest = Bundle.open(bundle.path).manifest
    name = ENCODER_FILES[precision]
    entry = file_entry(bundle.path / name, precision)
    files = {**manifest["files"], name: entry}
    if precision == "int8":
        files[INT8_ON_CPU] = {**file_entry(bundle.path / INT8_ON_CPU, precision), "twin_of": entry["sha256"]}
    gates = {**manifest.get("gates", {}), precision: gate}
    golden = golden_of(bundle.path, [p for p, file in ENCODER_FILES.items() if file in files], bundle.side_px)
    write_manifest(bundle.path, {**manifest, "files": files, "gates": gates, "golden": golden})


def main(argv: list[str] | None = None) -> int:
    """Make the graph, and the engine where TensorRT is; returns the exit code."""
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
    int8 = parser.add_argument_group("INT8")
    int8.add_argument(
        "--ranges",
        choices=("max", "percentile", "entropy", "least-squares"),
        help="how an activation's range is taken from what was measured (least-squares)",
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
    parser.set_defaults(precision="fp16")
    args = parser.parse_args(argv)
    if args.batch < 1:
        parser.error(f"--batch {args.batch} holds no picture: 1 is the least")
    return run_command("export.trt", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    bundle = Bundle.open(args.bundle)
    path = bundle.path / ENCODER_FILES[args.precision]
    if _is_made(bundle, args.precision) and not (args.ranges or args.keep_float or args.gate or args.report):
        print(f"{bundle.file(path.name)}: in the bundle already")
    elif args.precision == "int8":
        print(_told(_make_int8(bundle, args), path))
    else:
        print(f"{path}: worst cosine to FP32 {make_fp16(bundle):.6f}")
    if not args.graph_only:
        _build(Bundle.open(bundle.path), args.precision, args.batch)


def _make_int8(bundle: Bundle, args: argparse.Namespace) -> Made:
    require("onnx", "matplotlib", extra="export")
    from export.int8 import Choices, make_int8
    from export.ranges import DEFAULT_RULE

    gates = tuple((queries, gallery) for queries, gallery in args.gate)
    rule = args.ranges or DEFAULT_RULE
    made = make_int8(bundle, Choices(rule, tuple(args.keep_float), gates, args.report, 60 * args.minutes))
    enter(bundle, "int8", dict(made.gate))
    return made


def _is_made(bundle: Bundle, precision: str) -> bool:
    """Whether the graph is there, INT8's from the present calibration set.

    A graph made anew has another hash, and maps built with the one before would not fly.
    """
    if precision != "int8" or "int8" not in bundle.precisions:
        return precision in bundle.precisions
    of_set = bundle.manifest.get("gates", {}).get("int8", {}).get("calibration_sha256")
    return bool(of_set == bundle.manifest.get("calibration", {}).get("sha256"))


def _build(bundle: Bundle, precision: str, batch: int) -> None:
    """The engines, where TensorRT is; elsewhere a line that says what is missing."""
    from runtime.model.sidecar import batches_at_hand
    from runtime.model.trt import tensorrt_or_none

    trt = tensorrt_or_none()
    if trt is None:
        name = ENCODER_FILES[precision]
        print(f"TensorRT 10 or newer is not installed here: no engine was built, {name} is ready for one")
        return
    from export.device import Device
    from export.engines import build_and_keep

    device = Device.here()
    if "fp16" not in bundle.precisions:
        make_fp16(bundle)
        bundle = Bundle.open(bundle.path)
    pictures = _held_out(bundle) if precision == "int8" else None
    print(f"TensorRT {trt.__version__} times its kernels, which takes minutes", flush=True)
    for line in build_and_keep(trt, bundle, pictures, batch=batch, device=device):
        print(line)
    flies = "int8" if batches_at_hand(bundle, "int8") else "fp16"
    print(f"Build maps in this precision: python -m runtime.tiles build --bundle {bundle.path} --precision {flies} ...")


def _held_out(bundle: Bundle) -> NDArray[np.uint8]:  # (N, S, S, 3)
    """Pictures that nothing was calibrated on; drawn ones on a device that the set was not copied to."""
    from calib.sets import HELD_OUT, PICTURES, read_set
    from export.pictures import land_like

    if (bundle.path / PICTURES).is_file():
        return read_set(bundle.path)[0][HELD_OUT - 1 :: HELD_OUT]
    print(f"{bundle.path} has no {PICTURES}: the INT8 engine is held against FP32 on drawn ground")
    return land_like(32, bundle.side_px, bundle.side_px, seed=1)


def _told(made: Made, path: Path) -> str:
    result = made.result
    lines = [
        f"{path}: cosine to FP32 {result.cosine_mean:.4f} mean, {result.cosine_worst:.4f} worst, on {result.pictures} "
        f"pictures that were not calibrated on; left float: {len(made.kept_float) or 'nothing'}"
    ]
    lines += [f"  R@1 {one.r1:.1%}, FP32 {one.r1_fp32:.1%}: {one.name}" for one in result.sets]
    return "\n".join([*lines, f"{made.report}: the report"])


if __name__ == "__main__":
    sys.exit(main())
