"""An INT8 graph that can be trusted: measured, quantised, judged; what INT8 hurts stays float until the gate passes.

Two files come of it: ``encoder.int8.onnx``, what a device is given, its floats in FP16, and its twin for CPUs
(``export.int8.cpu``). A device makes neither and needs no ``onnx``. Retrieval is judged on the quantised graph before
floats are halved, as CPUs compute FP16 slowly; each file then is held to the cosines.

Each stage is a function of what the stages before it returned: ``prepare``, ``rank``, ``choose_floats``, ``report_on``,
``write_graphs``; ``make_int8`` calls them in turn.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from calib.samples.gate_set import open_gate_set
from calib.samples.stored_set import HELD_OUT, read_set
from export.estimates.cost import cost_of
from export.graphs.lint import check_lint
from export.graphs.parity import embed
from export.graphs.precision import load_graph, store_halved, to_fp16
from export.int8.changed_pictures import changed_set
from export.int8.cpu import summed_activations, to_cpu
from export.int8.gates import MIN_MEAN_COSINE, GateResult
from export.int8.judging import Reference, answer_as_fp32, cosines, judge, judge_pictures
from export.int8.layers import layer_noise
from export.int8.quantize import quantised_activations, quantised_nodes, to_int8
from export.int8.ranges import MeasuredActivation, Range, measure
from export.int8.report import Report, write_report
from export.int8.sensitivity import Attempt, Sensitivity, hurt, quantise_until, rank_nodes, suspects
from export.options import Int8Choices, RangeRule
from runtime.errors import DataError, ExportError
from runtime.files import whole_file
from runtime.model.bundle import ENCODER_FILES, INT8_ON_CPU, Bundle
from runtime.model.manifest import JsonObject, Precision
from runtime.progress import progress

logger = logging.getLogger(__name__)

_SHOWN = 8  # pictures that layers are compared on


@dataclass(frozen=True, slots=True)
class MadeInt8:
    """An INT8 graph that was written, and how it was judged."""

    result: GateResult
    kept_float: tuple[str, ...]
    report: Path
    gate: JsonObject  # for the manifest

    def describe(self, path: Path) -> list[str]:
        """Return what to tell of the graph that was written to ``path``, line by line."""
        result, floats = self.result, len(self.kept_float) or "nothing"
        cosines = f"cosine to FP32 {result.cosine_mean:.4f} mean, {result.cosine_worst:.4f} worst"
        lines = [f"{path}: {cosines}, on {result.pictures} pictures that were not calibrated on; left float: {floats}"]
        lines += [f"  R@1 {of_set.r1:.1%}, FP32 {of_set.r1_fp32:.1%}: {of_set.name}" for of_set in result.sets]
        return [*lines, f"{self.report}: the report"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """FP32, its ranges and its answers, which every attempt at an INT8 graph shares."""

    model: onnx.ModelProto  # FP32
    given: tuple[str, ...]  # nodes that the user keeps float
    measured: Mapping[str, MeasuredActivation]
    ranges: Mapping[str, Range]
    reference: Reference
    calibrated_on: int  # pictures
    set_sha256: str


def make_int8(bundle: Bundle, choices: Int8Choices) -> MadeInt8:
    """Write ``encoder.int8.onnx``, its twin and a report from the FP32 graph and the calibration set.

    Raises DataError, or GateError where no graph passes: the report is written all the same.
    """
    prepared = prepare(bundle, choices)
    ranking = rank(prepared, choices)
    best = choose_floats(prepared, ranking)
    folder = choices.report or bundle.path / "report"
    write_report(report_on(bundle, choices.rule, prepared, best, ranking), folder)
    best.result.check(ENCODER_FILES["int8"])
    cosine_mean_all_int8 = _cosine_mean_all_int8(prepared)
    written = write_graphs(bundle.path, prepared, best)
    lost = {sensitivity.node: round(sensitivity.lost, 6) for sensitivity in ranking}
    gate = {
        **best.result.as_json(),
        "calibration_sha256": prepared.set_sha256,
        "ranges": choices.rule,
        "kept_float": {node: lost.get(node) for node in best.keep_float},  # what it costs quantised alone
        "cosine_mean_all_int8": cosine_mean_all_int8,
        "files": {name: {"cosine_mean": r.cosine_mean, "cosine_worst": r.cosine_worst} for name, r in written.items()},
    }
    return MadeInt8(best.result, best.keep_float, folder, gate)


def prepare(bundle: Bundle, choices: Int8Choices) -> Prepared:
    """Measure the ranges of activations and let FP32 answer; minutes. Raises DataError or ExportError."""
    calibration = read_set(bundle.path)
    pictures = calibration.pictures
    _check_side(pictures, bundle)
    kept_apart = np.arange(len(pictures)) % HELD_OUT == HELD_OUT - 1
    fp32 = bundle.file(ENCODER_FILES["fp32"])
    model = load_graph(fp32)
    given = matching(quantised_nodes(model), choices.keep_float)
    sets = [open_gate_set(queries, gallery, bundle.side_px) for queries, gallery in choices.gates]
    with progress("ranges") as tick:
        measured = measure(model, measured_activations(model), pictures[~kept_apart], tick)
    ranges = {name: activation.range_by(choices.rule) for name, activation in measured.items()}
    changed = changed_set(pictures[kept_apart], pictures[~kept_apart], cost_of(model).macs)
    with progress("FP32 finds") as tick:
        reference = answer_as_fp32(fp32, pictures[kept_apart], [changed, *sets], tick)
    return Prepared(model, given, measured, ranges, reference, int((~kept_apart).sum()), calibration.sha256)


def rank(prepared: Prepared, choices: Int8Choices) -> list[Sensitivity]:
    """Measure what each node costs quantised alone, the worst first."""
    order = suspects(prepared.model, prepared.measured, choices.rule, prepared.given)
    with progress("nodes") as tick:
        return rank_nodes(
            prepared.model,
            prepared.ranges,
            prepared.reference.pictures,
            order,
            limit_s=choices.limit_s,
            tick=tick,
        )


def choose_floats(prepared: Prepared, ranking: Sequence[Sensitivity]) -> Attempt:
    """Leave float what INT8 hurts most, and where that does not pass, the fewest nodes more with which it does."""
    nodes = len(quantised_nodes(prepared.model, prepared.given))
    floats = (*prepared.given, *hurt(ranking, nodes, 1 - MIN_MEAN_COSINE))
    first = attempt(prepared, floats)
    others = [sensitivity.node for sensitivity in ranking if sensitivity.node not in floats]
    if not first.result.failure() or not others:
        return first
    return quantise_until(lambda keep_float: attempt(prepared, keep_float), others, floats)


def attempt(prepared: Prepared, keep_float: Sequence[str]) -> Attempt:
    """Quantise all but ``keep_float``, and judge the graph."""
    quantised = to_int8(prepared.model, prepared.ranges, keep_float)
    with _as_file(quantised) as path, progress("INT8 finds") as tick:
        result = judge(prepared.reference, path, tick)
    logger.debug("%d nodes float: %s", len(keep_float), result.failure() or "passes")
    return Attempt(quantised, tuple(keep_float), result)


def report_on(
    bundle: Bundle, rule: RangeRule, prepared: Prepared, best: Attempt, ranking: Sequence[Sensitivity]
) -> Report:
    """Gather all that was measured; FP16 beside INT8 where the bundle has it."""
    reference = prepared.reference
    results: dict[Precision, GateResult] = {}
    if "fp16" in bundle.precisions:
        results["fp16"] = judge(reference, bundle.file(ENCODER_FILES["fp16"]))
    nodes = {name: name not in best.keep_float for name in quantised_nodes(prepared.model)}
    floats: tuple[Precision, ...] = ("fp32", *results)
    sizes = {p: bundle.manifest.files[ENCODER_FILES[p]].size_bytes or 0 for p in floats}
    with _as_file(graphs_of(best.model, prepared.ranges)[ENCODER_FILES["int8"]]) as path:
        sizes["int8"] = path.stat().st_size
        return Report(
            bundle=bundle.name,
            rule=rule,
            calibrated_on=prepared.calibrated_on,
            set_sha256=prepared.set_sha256,
            results={**results, "int8": best.result},
            megabytes={precision: size / 1e6 for precision, size in sizes.items()},
            layers=layer_noise(prepared.model, best.model, nodes, reference.pictures[:_SHOWN]),
            kept_float=best.keep_float,
            ranking=ranking,
            fp32=reference.embeddings,
            int8=embed(path, reference.pictures, optimise=False),
        )


def write_graphs(folder: Path, prepared: Prepared, best: Attempt) -> dict[str, GateResult]:
    """Write the device's graph and its twin, both only if each is as near to FP32 as it must be; raises GateError."""
    results = {}
    with ExitStack() as whole:
        for name, graph in graphs_of(best.model, prepared.ranges).items():
            partial = whole.enter_context(whole_file(folder / name))
            onnx.save(graph, partial)
            results[name] = judge_pictures(prepared.reference, partial)
            results[name].check(name)
    return results


def graphs_of(int8: onnx.ModelProto, ranges: Mapping[str, Range]) -> dict[str, onnx.ModelProto]:
    """Return the files that a quantised graph is written as; raises GateError where a device's breaks a rule."""
    name = ENCODER_FILES["int8"]
    device = store_halved(to_fp16(int8))
    check_lint(device, name)
    return {name: device, INT8_ON_CPU: store_halved(to_cpu(int8, ranges))}


def measured_activations(model: onnx.ModelProto) -> dict[str, int]:
    """Return what :func:`graphs_of` needs the ranges of: names and the axis of their channels."""
    return {**summed_activations(model), **quantised_activations(model)}


def matching(nodes: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the nodes that any pattern (``*`` for anything) names; raises ExportError for one that names none."""
    for pattern in patterns:
        if not any(fnmatchcase(node, pattern) for node in nodes):
            near = get_close_matches(pattern, nodes, n=3, cutoff=0.0)
            raise ExportError(
                f"--keep-float {pattern} names none of {len(nodes)} nodes; the nearest: {', '.join(near)}"
            )
    return tuple(node for node in nodes if any(fnmatchcase(node, pattern) for pattern in patterns))


def _cosine_mean_all_int8(prepared: Prepared) -> float:
    """Measure the mean cosine with no node left float but those that were asked for."""
    with _as_file(to_int8(prepared.model, prepared.ranges, prepared.given)) as path:
        return round(float(cosines(prepared.reference, path).mean()), 5)


@contextmanager
def _as_file(model: onnx.ModelProto) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ENCODER_FILES["int8"]
        onnx.save(model, path)
        yield path


def _check_side(pictures: NDArray[np.uint8], bundle: Bundle) -> None:
    """Raise DataError where the pictures are not of the encoder's size."""
    if pictures.shape[1] != bundle.side_px:
        raise DataError(
            f"{bundle.path}'s calibration set is of {pictures.shape[1]} px, the encoder of {bundle.side_px} px; "
            f"make the set again: python -m calib.int8 --from FOLDER --bundle {bundle.path}"
        )
