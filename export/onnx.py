"""``python -m export.onnx``: a checkpoint becomes an encoder bundle, each graph proved against PyTorch."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.needs import require
from runtime.errors import run_command
from runtime.model.bundle import ENCODER_FILES, FORMAT, file_entry, write_manifest

if TYPE_CHECKING:
    from onnx import ModelProto

    from train.encoder import Encoder

MIN_COSINE: Mapping[str, float] = {"fp32": 0.9999, "fp16": 0.999}  # the worst picture; FP16 has 11 bits
_PICTURES = 8


def export_encoder(
    encoder: Encoder, out: Path, *, training: Mapping[str, Any], licence: str, small: bool = False
) -> dict[str, float]:
    """Write the bundle ``out``; the worst cosine to PyTorch by precision.

    ``small`` stores weights as FP16 and leaves the FP16 graph out (``export.trt --fp16`` makes it on the device).
    Raises ExportError, or GateError for a graph that differs; what the bundle held of other weights is removed.
    """
    from export.golden import golden_of
    from export.precision import store_halved, to_fp16

    model = _traced(encoder)
    card = _manifest(encoder, out.stem, training=training, licence=licence)
    _write_card(model, card)
    graphs = {"fp32": store_halved(model)} if small else {"fp32": model, "fp16": to_fp16(model)}
    cosines = {p: _write_proved(graph, out / ENCODER_FILES[p], encoder, p) for p, graph in graphs.items()}
    for precision in ENCODER_FILES.keys() - graphs.keys():
        (out / ENCODER_FILES[precision]).unlink(missing_ok=True)
    files = {ENCODER_FILES[p]: file_entry(out / ENCODER_FILES[p], p) for p in graphs}
    gates = {p: {"min_cosine": cosine, "required": MIN_COSINE[p], "to": "pytorch"} for p, cosine in cosines.items()}
    golden = golden_of(out, tuple(graphs), encoder.spec.side_px)
    write_manifest(out, {**card, "files": files, "gates": gates, "golden": golden})
    return cosines


def _traced(encoder: Encoder) -> ModelProto:
    import tempfile

    import onnx
    import torch

    from export.graph import trace

    side_px = encoder.spec.side_px
    example = torch.zeros(2, side_px, side_px, 3, dtype=torch.uint8)  # a batch of 1 would be taken as a constant
    batch = torch.export.Dim("batch", min=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        trace(encoder.eval(), example, path, outputs=["embedding"], dynamic={0: batch})
        return onnx.load(path)


def _manifest(encoder: Encoder, name: str, *, training: Mapping[str, Any], licence: str) -> dict[str, Any]:
    spec = asdict(encoder.spec)
    return {
        "format": FORMAT,
        "kind": "encoder",
        "name": name,
        "licence": licence,
        "encoder": {**spec, "truncations": [encoder.spec.dim]},
        "input": {
            "name": "image",
            "type": "uint8",
            "shape": ["batch", encoder.spec.side_px, encoder.spec.side_px, 3],
            "colour": "RGB",
            "preprocessing": "runtime.model.preprocess.encoder_input; normalisation is inside the graph",
        },
        "output": {"name": "embedding", "type": "float32", "shape": ["batch", encoder.spec.dim], "norm": 1},
        "training": dict(training),
    }


def _write_card(model: ModelProto, card: Mapping[str, Any]) -> None:
    """The manifest's facts inside the graph too, for a file that has lost its folder."""
    from onnx import helper

    facts = {key: card[key] for key in ("name", "licence", "encoder", "input", "output", "training")}
    model.producer_name = "skyfix"
    model.doc_string = "Embeds a north-up picture of ground for retrieval: nearest by cosine is nearest in place."
    helper.set_model_props(model, {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()})


def _write_proved(model: ModelProto, path: Path, encoder: Encoder, precision: str) -> float:
    """Write a graph only if ONNX Runtime computes with it what PyTorch does; its worst cosine."""
    import onnx
    import torch

    from export.parity import check_parity, embed
    from export.pictures import land_like
    from runtime.files import whole_file

    onnx.checker.check_model(model)
    pictures = land_like(_PICTURES, encoder.spec.side_px, encoder.spec.side_px)
    with torch.inference_mode():
        want = encoder(torch.from_numpy(pictures)).numpy()
    with whole_file(path) as partial:
        onnx.save(model, partial)
        return check_parity(want, embed(partial, pictures), what=path.name, min_cosine=MIN_COSINE[precision])


def main(argv: list[str] | None = None) -> int:
    """Export a checkpoint; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export.onnx",
        description="Turn a training checkpoint into an encoder bundle: FP32 and FP16 graphs that read camera bytes.",
        epilog="Example: python -m export.onnx runs/edge/best.safetensors --out edge.bundle\n"
        "Next: python -m calib.int8 --from FOLDER --bundle edge.bundle, then python -m export.trt --int8 edge.bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="a run's best.safetensors")
    parser.add_argument("--out", type=Path, required=True, metavar="NAME.bundle", help="the bundle's folder")
    parser.add_argument(
        "--small", action="store_true", help="one FP32 graph whose weights are stored as FP16: half the bytes, as fast"
    )
    parser.add_argument("--licence", default="Apache-2.0", help="of the weights, for the manifest (%(default)s)")
    args = parser.parse_args(argv)
    return run_command("export.onnx", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    require("torch", "timm", "onnx", "onnxscript", extra="export")
    from train.checkpoint import load_encoder

    encoder, about = load_encoder(args.checkpoint)
    cosines = export_encoder(encoder, args.out, training=_training(about), licence=args.licence, small=args.small)
    print(f"{args.out}: {encoder.spec.backbone}, {encoder.spec.dim}-D at {encoder.spec.side_px} px")
    for precision, cosine in cosines.items():
        path = args.out / ENCODER_FILES[precision]
        print(f"  {path.name:<18} {path.stat().st_size / 1e6:5.1f} MB  worst cosine to PyTorch {cosine:.6f}")


def _training(about: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest tells of a run: scores, loss, seed and the names of its data, without this machine's paths."""
    spec = about["train_spec"]
    data = [f"{kind}:{Path(rest).name}" for kind, _, rest in (d.partition(":") for d in spec.get("data", ()))]
    told = {key: spec[key] for key in ("host", "only_may_ship", "seed") if key in spec}
    return {"data": data, **told, **about["summary"]}


if __name__ == "__main__":
    sys.exit(main())
