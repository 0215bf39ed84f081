"""An INT8 graph that can be trusted: measured, quantised, judged; what INT8 hurts stays float until the gate passes.

Two files come of it: ``encoder.int8.onnx``, what a device is given, its floats in FP16, and its twin for CPUs
(``export.cpu``). A device makes neither and needs no ``onnx``. Retrieval is judged on the quantised graph before floats
are halved, as CPUs compute FP16 slowly; each file then is held to the cosines.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from calib.retrieval import open_retrieval_set
from calib.sets import HELD_OUT, read_set
from export.cost import cost_of
from export.cpu import summed_activations, to_cpu
from export.gates import MIN_MEAN_COSINE, GateResult, Judge, changed_set
from export.layers import layer_noise
from export.lint import check_lint
from export.parity import embed
from export.precision import load_graph, store_halved, to_fp16
from export.quantize import quantised_activations, quantised_nodes, to_int8
from export.ranges import DEFAULT_RULE, Range, measure
from export.report import Report, write_report
from export.sensitivity import Attempt, Sensitivity, hurt, quantise_until, rank_nodes, suspects
from runtime.errors import DataError, ExportError
from runtime.files import whole_file
from runtime.model.bundle import ENCODER_FILES, INT8_ON_CPU, Bundle
from runtime.progress import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 8  # pictures that layers are compared on


@dataclass(frozen=True, slots=True)
class Choices:
    """What a user may decide."""

    rule: str = DEFAULT_RULE  # of export.ranges.RULES
    keep_float: tuple[str, ...] = ()  # patterns of nodes that stay float, whatever is measured
    gates: tuple[tuple[Path, Path], ...] = ()  # retrieval sets: (flight, map) or (queries, gallery)
    report: Path | None = None  # BUNDLE/report where not given
    limit_s: float = 300.0  # of measuring which nodes INT8 hurts


@dataclass(frozen=True, slots=True)
class Made:
    """What came of it."""

    result: GateResult
    kept_float: tuple[str, ...]
    report: Path
    gate: Mapping[str, Any]  # for the manifest


def make_int8(bundle: Bundle, choices: Choices) -> Made:
    """Write ``encoder.int8.onnx`` and a report from the FP32 graph and the calibration set.

    Raises DataError, or GateError where no graph passes: the report is written all the same.
    """
    work = _Work(bundle, choices)
    ranking = work.rank()
    best = work.best(ranking)
    folder = choices.report or bundle.path / "report"
    write_report(work.report(best, ranking), folder)
    best.result.check(ENCODER_FILES["int8"])
    written = work.write(best)
    lost = {one.node: round(one.lost, 6) for one in ranking}
    gate = {
        **best.result.as_json(),
        "calibration_sha256": work.set_sha256,
        "ranges": choices.rule,
        "kept_float": {node: lost.get(node) for node in best.keep_float},  # what it costs quantised alone
        "cosine_mean_all_int8": work.cosine_mean_all_int8(),
        "files": {name: {"cosine_mean": r.cosine_mean, "cosine_worst": r.cosine_worst} for name, r in written.items()},
    }
    return Made(best.result, best.keep_float, folder, gate)


def graphs_of(int8: onnx.ModelProto, ranges: Mapping[str, Range]) -> dict[str, onnx.ModelProto]:
    """The files that a quantised graph is written as; raises GateError where a device's breaks a rule."""
    name = ENCODER_FILES["int8"]
    device = store_halved(to_fp16(int8))
    check_lint(device, name)
    return {name: device, INT8_ON_CPU: store_halved(to_cpu(int8, ranges))}


def measured_activations(model: onnx.ModelProto) -> dict[str, int]:
    """What :func:`graphs_of` needs the ranges of: names and the axis of their channels."""
    return {**summed_activations(model), **quantised_activations(model)}


class _Work:
    """What every attempt at a graph shares: FP32, its ranges and its answers."""

    def __init__(self, bundle: Bundle, choices: Choices) -> None:
        self._bundle, self._choices = bundle, choices
        pictures, self.set_sha256 = read_set(bundle.path)
        _check_side(pictures, bundle)
        kept = np.arange(len(pictures)) % HELD_OUT == HELD_OUT - 1
        fp32 = bundle.file(ENCODER_FILES["fp32"])
        self._model = load_graph(fp32)
        self.given = matching(quantised_nodes(self._model), choices.keep_float)
        self._calibrated = int((~kept).sum())
        sets = [open_retrieval_set(queries, gallery, bundle.side_px) for queries, gallery in choices.gates]
        with progress("ranges") as tick:
            self._measured = measure(self._model, measured_activations(self._model), pictures[~kept], tick)
        self._ranges = {name: one.range_by(choices.rule) for name, one in self._measured.items()}
        changed = changed_set(pictures[kept], pictures[~kept], cost_of(self._model).macs)
        with progress("FP32 finds") as tick:
            self._judge = Judge(fp32, pictures[kept], [changed, *sets], tick)

    def attempt(self, keep_float: Sequence[str]) -> Attempt:
        """Quantise all but ``keep_float``, and judge."""
        quantised = to_int8(self._model, self._ranges, keep_float)
        with _as_file(quantised) as path, progress("INT8 finds") as tick:
            return Attempt(quantised, tuple(keep_float), self._judge.judge(path, tick))

    def rank(self) -> list[Sensitivity]:
        """What each node costs."""
        order = suspects(self._model, self._measured, self._choices.rule, self.given)
        with progress("nodes") as tick:
            return rank_nodes(
                self._model, self._ranges, self._judge.pictures, order, limit_s=self._choices.limit_s, tick=tick
            )

    def best(self, ranking: Sequence[Sensitivity]) -> Attempt:
        """What INT8 hurts most left float, and where that does not pass, the fewest nodes more with which it does."""
        nodes = len(quantised_nodes(self._model, self.given))
        floats = (*self.given, *hurt(ranking, nodes, 1 - MIN_MEAN_COSINE))
        first = self.attempt(floats)
        others = [one.node for one in ranking if one.node not in floats]
        return quantise_until(self.attempt, others, floats) if first.result.failure() and others else first

    def cosine_mean_all_int8(self) -> float:
        """With no node left float but those that were asked for."""
        with _as_file(to_int8(self._model, self._ranges, self.given)) as path:
            return round(float(self._judge.cosines(path).mean()), 5)

    def write(self, best: Attempt) -> dict[str, GateResult]:
        """Write the device's graph and its twin, each only if it is as near to FP32 as it must be."""
        results = {}
        with ExitStack() as whole:
            for name, graph in graphs_of(best.model, self._ranges).items():
                partial = whole.enter_context(whole_file(self._bundle.path / name))
                onnx.save(graph, partial)
                results[name] = self._judge.judge_pictures(partial)
                results[name].check(name)
        return results

    def report(self, best: Attempt, ranking: Sequence[Sensitivity]) -> Report:
        """All that was measured; FP16 beside INT8 where the bundle has it."""
        bundle, pictures = self._bundle, self._judge.pictures
        results = {"fp16": self._judge.judge(bundle.file(ENCODER_FILES["fp16"]))} if "fp16" in bundle.precisions else {}
        nodes = {name: name not in best.keep_float for name in quantised_nodes(self._model)}
        with _as_file(graphs_of(best.model, self._ranges)[ENCODER_FILES["int8"]]) as path:
            bytes_of = {p: bundle.manifest["files"][ENCODER_FILES[p]]["bytes"] for p in ("fp32", *results)}
            return Report(
                bundle=bundle.name,
                rule=self._choices.rule,
                calibration={"pictures": self._calibrated, "sha256": self.set_sha256},
                results={**results, "int8": best.result},
                megabytes={p: size / 1e6 for p, size in {**bytes_of, "int8": path.stat().st_size}.items()},
                layers=layer_noise(self._model, best.model, nodes, pictures[:_SHOWN]),
                kept_float=best.keep_float,
                ranking=ranking,
                fp32=self._judge.wanted,
                int8=embed(path, pictures, optimise=False),
            )


@contextmanager
def _as_file(model: onnx.ModelProto) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ENCODER_FILES["int8"]
        onnx.save(model, path)
        yield path


def matching(nodes: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The nodes that any pattern (``*`` for anything) names; raises ExportError for a pattern that names none."""
    for pattern in patterns:
        if not any(fnmatchcase(node, pattern) for node in nodes):
            near = get_close_matches(pattern, nodes, n=3, cutoff=0.0)
            raise ExportError(
                f"--keep-float {pattern} names none of {len(nodes)} nodes; the nearest: {', '.join(near)}"
            )
    return tuple(node for node in nodes if any(fnmatchcase(node, pattern) for pattern in patterns))


def _check_side(pictures: NDArray[np.uint8], bundle: Bundle) -> None:
    if pictures.shape[1] != bundle.side_px:
        raise DataError(
            f"{bundle.path}'s calibration set is of {pictures.shape[1]} px, the encoder of {bundle.side_px} px; "
            f"make the set again: python -m calib.int8 --from FOLDER --bundle {bundle.path}"
        )
