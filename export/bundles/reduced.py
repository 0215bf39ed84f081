"""A bundle's reduced graphs: FP16 and INT8 are made from FP32, gated, and entered into the manifest."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calib.samples.stored_set import HELD_OUT, PICTURES, read_set
from export.bundles.golden import golden_of
from export.graphs.drawn_ground import land_like
from export.graphs.parity import MIN_FLOAT_COSINE, check_parity, embed
from export.needs import require
from export.options import Int8Choices, ReducedPrecision
from runtime.files import whole_file
from runtime.model.bundle import ENCODER_FILES, INT8_ON_CPU, Bundle, file_entry, write_manifest
from runtime.model.manifest import JsonObject

if TYPE_CHECKING:
    from export.int8.pipeline import MadeInt8

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reduction:
    """A reduced graph that ``python -m export.trt`` is asked for."""

    bundle: Path
    precision: ReducedPrecision
    int8: Int8Choices = field(default_factory=Int8Choices)
    anew: bool = False
    """Make the graph again even where it is in the bundle."""


def reduce_bundle(reduction: Reduction) -> list[str]:
    """Make the graph where the bundle lacks it; returns what to tell. Raises DataError, ExportError or GateError."""
    bundle = Bundle.open(reduction.bundle)
    path = bundle.path / ENCODER_FILES[reduction.precision]
    if is_made(bundle, reduction.precision) and not reduction.anew:
        return [f"{bundle.file(path.name)}: in the bundle already"]
    if reduction.precision == "int8":
        return add_int8(bundle, reduction.int8).describe(path)
    return [f"{path}: worst cosine to FP32 {make_fp16(bundle):.6f}"]


def is_made(bundle: Bundle, precision: ReducedPrecision) -> bool:
    """Tell whether the graph is there, INT8's from the present calibration set.

    A graph made anew has another hash, and maps built with the one before would not fly.
    """
    if precision != "int8" or "int8" not in bundle.precisions:
        return precision in bundle.precisions
    return bundle.manifest.judged_with("int8") == bundle.manifest.calibration_sha256


def make_fp16(bundle: Bundle) -> float:
    """Write ``encoder.fp16.onnx`` and enter it; returns its worst cosine to FP32. Raises GateError."""
    require("onnx", extra="export")
    # Imported here: a device that is brought its graphs has no onnx, and comes here for the rest of this module.
    import onnx

    from export.graphs.precision import load_graph, to_fp16

    fp32, path = bundle.file(ENCODER_FILES["fp32"]), bundle.path / ENCODER_FILES["fp16"]
    pictures = land_like(8, bundle.side_px, bundle.side_px)
    with whole_file(path) as partial:
        onnx.save(to_fp16(load_graph(fp32)), partial)
        exact, got = embed(fp32, pictures), embed(partial, pictures)
        cosine = check_parity(exact, got, what=path.name, min_cosine=MIN_FLOAT_COSINE)
    enter(bundle, "fp16", {"min_cosine": cosine, "required": MIN_FLOAT_COSINE, "to": "fp32"})
    return cosine


def add_int8(bundle: Bundle, choices: Int8Choices) -> MadeInt8:
    """Write ``encoder.int8.onnx`` with its twin and a report, and enter both; raises DataError or GateError."""
    require("onnx", "matplotlib", extra="export")
    # Imported here, as in make_fp16: all of it needs onnx.
    from export.int8.pipeline import make_int8

    made = make_int8(bundle, choices)
    enter(bundle, "int8", made.gate)
    return made


def enter(bundle: Bundle, precision: ReducedPrecision, gate: JsonObject) -> None:
    """Add a graph that has just been written to the bundle's manifest."""
    manifest = Bundle.open(bundle.path).manifest
    name = ENCODER_FILES[precision]
    entry = file_entry(bundle.path / name, precision)
    entries: dict[str, JsonObject] = {name: entry}
    if precision == "int8":
        twin = file_entry(bundle.path / INT8_ON_CPU, precision)
        entries[INT8_ON_CPU] = {**twin, "twin_of": entry["sha256"]}
    document = manifest.with_files(entries)
    gates = {**document.get("gates", {}), precision: gate}
    precisions = [p for p, file in ENCODER_FILES.items() if file in document["files"]]
    golden = golden_of(bundle.path, precisions, bundle.side_px)
    write_manifest(bundle.path, {**document, "gates": gates, "golden": golden})


def held_out_pictures(bundle: Bundle) -> NDArray[np.uint8]:  # (N, S, S, 3)
    """Return pictures that nothing was calibrated on; drawn ones on a device that the set was not copied to."""
    if (bundle.path / PICTURES).is_file():
        return read_set(bundle.path).pictures[HELD_OUT - 1 :: HELD_OUT]
    logger.warning("%s has no %s: the INT8 engine is held against FP32 on drawn ground", bundle.path, PICTURES)
    return land_like(32, bundle.side_px, bundle.side_px, seed=1)
