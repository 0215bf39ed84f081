"""A checkpoint becomes an encoder bundle: FP32 and FP16 graphs that read camera bytes, each proved against PyTorch."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from calib.samples.sources import samples
from export.bundles.card import encoder_card, source_of, training_of, write_card
from export.bundles.golden import golden_of
from export.graphs.batch import with_batch
from export.graphs.drawn_ground import land_like
from export.graphs.lint import check_lint
from export.graphs.parity import MIN_FLOAT_COSINE, check_parity, embed
from export.graphs.precision import store_halved, to_fp16
from export.graphs.trace import fused, trace
from runtime.errors import DataError, GateError
from runtime.files import whole_file
from runtime.model.bundle import ENCODER_FILES, file_entry, write_manifest
from runtime.model.golden import golden_picture
from runtime.model.manifest import JsonObject, Precision
from train.model.checkpoint import load_encoder
from train.model.encoder import Encoder, EncoderSpec

MIN_COSINE: Mapping[Precision, float] = {"fp32": MIN_FLOAT_COSINE, "fp16": MIN_FLOAT_COSINE}
_PICTURES = 32  # of --pictures
_HALVED = 4  # of those: FP16 is slow on a CPU
_MENDS: Mapping[Precision, str] = {
    "fp32": "PyTorch and ONNX Runtime disagree: update both, or train another --backbone",
    "fp16": "its activations are too large or too fine for FP16: export with --small, which leaves FP16 out",
}


@dataclass(frozen=True, slots=True)
class EncoderExport:
    """A bundle that ``python -m export.onnx`` is asked for."""

    checkpoint: Path
    out: Path
    licence: str
    dim: int | None = None  # of an embedding; None keeps all of it
    small: bool = False
    static: tuple[int, ...] = ()  # batches that get a graph of their own
    pictures: Path | None = None  # to prove the graphs on; None takes drawn ground


@dataclass(frozen=True, slots=True)
class ExportedEncoder:
    """A bundle that was written, and how near its graphs are to PyTorch."""

    out: Path
    spec: EncoderSpec
    cosines: Mapping[Precision, float]  # precision -> of the worst picture

    def describe(self) -> list[str]:
        """Return what to tell of the bundle, a line a graph after the first."""
        lines = [f"{self.out}: {self.spec.backbone}, {self.spec.dim}-D at {self.spec.side_px} px"]
        for precision, cosine in self.cosines.items():
            path = self.out / ENCODER_FILES[precision]
            megabytes = path.stat().st_size / 1e6
            lines.append(f"  {path.name:<18} {megabytes:5.1f} MB  worst cosine to PyTorch {cosine:.6f}")
        return lines


@dataclass(frozen=True, slots=True)
class _Proof:
    """Pictures that every graph is proved on, and what PyTorch makes of them."""

    pictures: NDArray[np.uint8]  # (N, S, S, 3)
    embeddings: NDArray[np.float32]  # (N, D)


def export_checkpoint(export: EncoderExport) -> ExportedEncoder:
    """Export a run's checkpoint; raises TrainError, DataError, ExportError or GateError."""
    encoder, about = load_encoder(export.checkpoint, export.dim)
    cosines = export_encoder(
        encoder,
        export.out,
        training=training_of(about),
        source=source_of(export.checkpoint),
        licence=export.licence,
        small=export.small,
        static=export.static,
        pictures=None if export.pictures is None else _read(export.pictures, encoder.spec.side_px),
    )
    return ExportedEncoder(export.out, encoder.spec, cosines)


def export_encoder(
    encoder: Encoder,
    out: Path,
    *,
    training: JsonObject,
    licence: str,
    source: JsonObject | None = None,
    small: bool = False,
    static: Sequence[int] = (),
    pictures: NDArray[np.uint8] | None = None,  # (N, S, S, 3) RGB
) -> dict[Precision, float]:
    """Write the bundle ``out``; returns the worst cosine to PyTorch by precision, over ``pictures`` and the golden one.

    ``small`` stores weights as FP16 and leaves the FP16 graph out (``export.trt --fp16`` makes it on the device).
    ``static`` names batches that get a graph of their own beside the one that takes any. Without ``pictures``, drawn
    ground. Raises ExportError, or GateError for a graph that differs; what the bundle held of other weights is removed.
    """
    model = traced(encoder)
    card = encoder_card(encoder.spec, out.stem, training=training, source=source or {}, licence=licence)
    write_card(model, card)
    graphs: dict[Precision, ModelProto] = {"fp32": store_halved(model) if small else model}
    if not small:
        graphs["fp16"] = to_fp16(model)
    proof = _proof(encoder, pictures)
    files: dict[str, JsonObject] = {}
    cosines: dict[Precision, float] = {}
    for precision, graph in graphs.items():
        written = {batch: _write_proved(graph, out, precision, batch, proof) for batch in (None, *static)}
        files |= {_file_name(precision, batch): _entry(out, precision, batch) for batch in written}
        cosines[precision] = min(written.values())
        if precision == "fp16":
            cosines[precision] = min(cosines[precision], _cosine_of_halves(encoder, proof))
    for old in out.glob("encoder*.onnx"):
        if old.name not in files:
            old.unlink()
    on = {"to": "pytorch", "pictures": len(proof.pictures), "of": "drawn ground" if pictures is None else "given"}
    gates = {p: {"min_cosine": cosine, "required": MIN_COSINE[p], **on} for p, cosine in cosines.items()}
    golden = golden_of(out, tuple(graphs), encoder.spec.side_px)
    write_manifest(out, {**card, "files": files, "gates": gates, "golden": golden})
    return cosines


def traced(encoder: Encoder) -> ModelProto:
    """Return the encoder as an FP32 graph that takes any batch; raises ExportError."""
    side_px = encoder.spec.side_px
    example = torch.zeros(2, side_px, side_px, 3, dtype=torch.uint8)  # a batch of 1 would be taken as a constant
    batch = torch.export.Dim("batch", min=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        trace(fused(encoder.eval()), example, path, outputs=["embedding"], dynamic={0: batch})
        return onnx.load(path)


def _file_name(precision: Precision, batch: int | None) -> str:
    """Return ``encoder.fp16.onnx``, which takes any batch, or ``encoder.fp16.b4.onnx``."""
    name = ENCODER_FILES[precision]
    return name if batch is None else name.replace(".onnx", f".b{batch}.onnx")


def _entry(out: Path, precision: Precision, batch: int | None) -> JsonObject:
    """Return the manifest's line for a graph."""
    entry = file_entry(out / _file_name(precision, batch), precision)
    return entry if batch is None else {**entry, "batch": batch}


def _proof(encoder: Encoder, given: NDArray[np.uint8] | None) -> _Proof:
    """Embed the golden picture, then what was given or drawn ground."""
    side_px = encoder.spec.side_px
    others = land_like(8, side_px, side_px) if given is None else given
    pictures = np.concatenate([golden_picture(side_px)[None], others])
    with torch.inference_mode():
        parts = [encoder(torch.from_numpy(pictures[i : i + 8])).numpy() for i in range(0, len(pictures), 8)]
    return _Proof(pictures, np.concatenate(parts))


def _cosine_of_halves(encoder: Encoder, proof: _Proof) -> float:
    """Return the worst cosine of a backbone that rounds every activation to FP16, by PyTorch; raises GateError.

    ONNX Runtime's CPU computes an FP16 graph in FP32, activations too: it finds what halved weights cost, and is silent
    where a GPU would overflow.
    """
    halved = copy.copy(encoder)  # the weights are shared
    halved.amp_dtype = torch.float16
    with torch.inference_mode():
        got = halved(torch.from_numpy(proof.pictures[:_HALVED])).numpy()
    try:
        return check_parity(proof.embeddings[:_HALVED], got, what="FP16 arithmetic", min_cosine=MIN_COSINE["fp16"])
    except GateError as error:
        raise GateError(f"{error}; {_MENDS['fp16']}") from None


def _write_proved(model: ModelProto, out: Path, precision: Precision, batch: int | None, proof: _Proof) -> float:
    """Write a graph if it keeps the rules and ONNX Runtime computes what PyTorch does; returns its worst cosine."""
    path = out / _file_name(precision, batch)
    pictures, embeddings = proof.pictures, proof.embeddings
    if batch is not None:
        model = with_batch(model, batch)
        whole = np.arange(-(-len(pictures) // batch) * batch) % len(pictures)
        pictures, embeddings = pictures[whole], embeddings[whole]
    onnx.checker.check_model(model)
    check_lint(model, path.name)
    with whole_file(path) as partial:
        onnx.save(model, partial)
        got = embed(partial, pictures, batch=batch or 8)
        try:
            return check_parity(embeddings, got, what=path.name, min_cosine=MIN_COSINE[precision])
        except GateError as error:
            raise GateError(f"{error}; {_MENDS[precision]}") from None


def _read(source: Path, side_px: int) -> NDArray[np.uint8]:  # (N, S, S, 3)
    """Read the pictures of a flight, map or folder; raises DataError where they show no ground."""
    pictures = [sample.picture for sample in samples(source, _PICTURES, side_px, np.random.default_rng(0))]
    if not pictures:
        raise DataError(f"{source} shows no ground; --pictures takes a flight, a map.mbtiles or a folder of pictures")
    return np.stack(pictures)
