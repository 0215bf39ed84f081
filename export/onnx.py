"""``python -m export.onnx``: a checkpoint becomes an encoder bundle, each graph proved against PyTorch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from export.needs import require
from runtime.command import run_command
from runtime.errors import GateError
from runtime.model.bundle import ENCODER_FILES, file_entry, write_manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    from train.model.encoder import Encoder

MIN_COSINE: Mapping[str, float] = {"fp32": 0.9999, "fp16": 0.9999}  # of the worst picture
_PICTURES = 32  # of --pictures
_HALVED = 4  # of those: FP16 is slow on a CPU
_MENDS: Mapping[str, str] = {
    "fp32": "PyTorch and ONNX Runtime disagree: update both, or train another --backbone",
    "fp16": "its activations are too large or too fine for FP16: export with --small, which leaves FP16 out",
}


def export_encoder(
    encoder: Encoder,
    out: Path,
    *,
    training: Mapping[str, Any],
    licence: str,
    source: Mapping[str, Any] | None = None,
    small: bool = False,
    static: Sequence[int] = (),
    pictures: NDArray[np.uint8] | None = None,  # (N, S, S, 3) RGB
) -> dict[str, float]:
    """Write the bundle ``out``; the worst cosine to PyTorch by precision, over ``pictures`` and the golden one.

    ``small`` stores weights as FP16 and leaves the FP16 graph out (``export.trt --fp16`` makes it on the device).
    ``static`` names batches that get a graph of their own beside the one that takes any. Without ``pictures``, drawn
    ground. Raises ExportError, or GateError for a graph that differs; what the bundle held of other weights is removed.
    """
    from export.card import encoder_card, write_card
    from export.golden import golden_of
    from export.precision import store_halved, to_fp16

    model = _traced(encoder)
    card = encoder_card(encoder.spec, out.stem, training=training, source=source or {}, licence=licence)
    write_card(model, card)
    graphs = {"fp32": store_halved(model)} if small else {"fp32": model, "fp16": to_fp16(model)}
    shown = _shown(encoder, pictures)
    files, cosines = {}, {}
    for precision, graph in graphs.items():
        worst = []
        for batch in (None, *static):
            path = out / _file_name(precision, batch)
            worst.append(_write_proved(graph, path, precision, batch, shown))
            files[path.name] = {**file_entry(path, precision), **({} if batch is None else {"batch": batch})}
        cosines[precision] = min(worst) if precision == "fp32" else min(*worst, _cosine_of_halves(encoder, shown))
    for old in out.glob("encoder*.onnx"):
        if old.name not in files:
            old.unlink()
    on = {"to": "pytorch", "pictures": len(shown.pictures), "of": "drawn ground" if pictures is None else "given"}
    gates = {p: {"min_cosine": cosine, "required": MIN_COSINE[p], **on} for p, cosine in cosines.items()}
    golden = golden_of(out, tuple(graphs), encoder.spec.side_px)
    write_manifest(out, {**card, "files": files, "gates": gates, "golden": golden})
    return cosines


def _file_name(precision: str, batch: int | None) -> str:
    """``encoder.fp16.onnx``, which takes any batch, or ``encoder.fp16.b4.onnx``."""
    name = ENCODER_FILES[precision]
    return name if batch is None else name.replace(".onnx", f".b{batch}.onnx")


def _traced(encoder: Encoder) -> ModelProto:
    import tempfile

    import onnx
    import torch

    from export.graph import fused, trace

    side_px = encoder.spec.side_px
    example = torch.zeros(2, side_px, side_px, 3, dtype=torch.uint8)  # a batch of 1 would be taken as a constant
    batch = torch.export.Dim("batch", min=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        trace(fused(encoder.eval()), example, path, outputs=["embedding"], dynamic={0: batch})
        return onnx.load(path)


class _Shown(NamedTuple):
    """What the graphs are proved on."""

    pictures: NDArray[np.uint8]  # (N, S, S, 3)
    wanted: NDArray[np.float32]  # (N, D), PyTorch's


def _shown(encoder: Encoder, given: NDArray[np.uint8] | None) -> _Shown:
    """The golden picture, then what was given or drawn ground."""
    import numpy as np
    import torch

    from export.pictures import land_like
    from runtime.model.golden import golden_picture

    side_px = encoder.spec.side_px
    others = land_like(8, side_px, side_px) if given is None else given
    pictures = np.concatenate([golden_picture(side_px)[None], others])
    with torch.inference_mode():
        parts = [encoder(torch.from_numpy(pictures[i : i + 8])).numpy() for i in range(0, len(pictures), 8)]
    return _Shown(pictures, np.concatenate(parts))


def _cosine_of_halves(encoder: Encoder, shown: _Shown) -> float:
    """Worst cosine of a backbone that rounds every activation to FP16, by PyTorch; raises GateError.

    ONNX Runtime's CPU computes an FP16 graph in FP32, activations too: it finds what halved weights cost, and is silent
    where a GPU would overflow.
    """
    import torch

    from export.parity import check_parity

    some = torch.from_numpy(shown.pictures[:_HALVED])
    trained_in = encoder.amp_dtype
    encoder.amp_dtype = torch.float16
    try:
        with torch.inference_mode():
            got = encoder(some).numpy()
    finally:
        encoder.amp_dtype = trained_in
    try:
        return check_parity(shown.wanted[:_HALVED], got, what="FP16 arithmetic", min_cosine=MIN_COSINE["fp16"])
    except GateError as error:
        raise GateError(f"{error}; {_MENDS['fp16']}") from None


def _write_proved(model: ModelProto, path: Path, precision: str, batch: int | None, shown: _Shown) -> float:
    """Write a graph only if it keeps the rules and ONNX Runtime computes what PyTorch does; its worst cosine."""
    import numpy as np
    import onnx

    from export.lint import check_lint
    from export.parity import check_parity, embed
    from export.shapes import with_batch
    from runtime.files import whole_file

    pictures, wanted = shown
    if batch is not None:
        model = with_batch(model, batch)
        whole = np.arange(-(-len(pictures) // batch) * batch) % len(pictures)
        pictures, wanted = pictures[whole], wanted[whole]
    onnx.checker.check_model(model)
    check_lint(model, path.name)
    with whole_file(path) as partial:
        onnx.save(model, partial)
        got = embed(partial, pictures, batch=batch or 8)
        try:
            return check_parity(wanted, got, what=path.name, min_cosine=MIN_COSINE[precision])
        except GateError as error:
            raise GateError(f"{error}; {_MENDS[precision]}") from None


def main(argv: list[str] | None = None) -> int:
    """Export a checkpoint; returns the exit code."""
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
    args = parser.parse_args(argv)
    if min(args.static, default=1) < 1:
        parser.error(f"--static {min(args.static)} holds no picture: 1 is the least")
    return run_command("export.onnx", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    require("torch", "timm", "onnx", "onnxscript", extra="export")
    from export.card import source_of, training_of
    from train.model.checkpoint import load_encoder

    encoder, about = load_encoder(args.checkpoint, args.dim)
    cosines = export_encoder(
        encoder,
        args.out,
        training=training_of(about),
        source=source_of(args.checkpoint),
        licence=args.licence,
        small=args.small,
        static=args.static,
        pictures=None if args.pictures is None else _read(args.pictures, encoder.spec.side_px),
    )
    print(f"{args.out}: {encoder.spec.backbone}, {encoder.spec.dim}-D at {encoder.spec.side_px} px")
    for precision, cosine in cosines.items():
        path = args.out / ENCODER_FILES[precision]
        print(f"  {path.name:<18} {path.stat().st_size / 1e6:5.1f} MB  worst cosine to PyTorch {cosine:.6f}")


def _read(source: Path, side_px: int) -> NDArray[np.uint8]:  # (N, S, S, 3)
    import numpy as np

    from calib.sources import samples
    from runtime.errors import DataError

    found = [sample.picture for sample in samples(source, _PICTURES, side_px, np.random.default_rng(0))]
    if not found:
        raise DataError(f"{source} shows no ground; --pictures takes a flight, a map.mbtiles or a folder of pictures")
    return np.stack(found)


if __name__ == "__main__":
    sys.exit(main())
