"""An INT8 graph that can be trusted: measured, quantised, judged; what INT8 hurts stays float until the gate passes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from calib.retrieval import open_retrieval_set
from calib.sets import HELD_OUT, read_set
from export.gates import GateResult, Judge, changed_set
from export.layers import layer_noise
from export.lint import check_lint
from export.parity import embed
from export.precision import load_graph, store_halved
from export.quantize import quantised_activations, quantised_nodes, to_int8
from export.ranges import DEFAULT_RULE, measure
from export.report import Report, write_report
from export.sensitivity import Attempt, Sensitivity, quantise_until, rank_nodes, suspects
from runtime.errors import DataError, ExportError
from runtime.files import whole_file
from runtime.model.bundle import ENCODER_FILES, Bundle
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
    first = work.attempt(work.given)
    best, ranking = work.left_float(first) if first.result.failure() else (first, [])
    folder = choices.report or bundle.path / "report"
    write_report(work.report(best, ranking), folder)
    name = ENCODER_FILES["int8"]
    best.result.check(name)
    check_lint(best.model, name)
    with whole_file(bundle.path / name) as partial:
        onnx.save(store_halved(best.model), partial)
    lost = {one.node: round(one.lost, 6) for one in ranking}
    gate = {
        **best.result.as_json(),
        "calibration_sha256": work.set_sha256,
        "ranges": choices.rule,
        "kept_float": {node: lost.get(node) for node in best.keep_float},  # what it costs quantised alone
        "cosine_mean_all_int8": round(first.result.cosine_mean, 5),
    }
    return Made(best.result, best.keep_float, folder, gate)


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
            self._measured = measure(self._model, quantised_activations(self._model), pictures[~kept], tick)
        self._ranges = {name: one.range_by(choices.rule) for name, one in self._measured.items()}
        self._judge = Judge(fp32, pictures[kept], [changed_set(pictures[kept], pictures[~kept]), *sets])

    def attempt(self, keep_float: Sequence[str]) -> Attempt:
        """Quantise all but ``keep_float``, and judge."""
        quantised = to_int8(self._model, self._ranges, keep_float)
        with _as_file(quantised) as path:
            return Attempt(quantised, tuple(keep_float), self._judge.judge(path))

    def left_float(self, first: Attempt) -> tuple[Attempt, list[Sensitivity]]:
        """The attempt that leaves the fewest nodes float, and what each node costs."""
        order = suspects(self._model, self._measured, self._choices.rule, self.given)
        with progress("nodes") as tick:
            ranking = rank_nodes(
                self._model, self._ranges, self._judge.pictures, order, limit_s=self._choices.limit_s, tick=tick
            )
        return quantise_until(self.attempt, [one.node for one in ranking], self.given) if ranking else first, ranking

    def report(self, best: Attempt, ranking: Sequence[Sensitivity]) -> Report:
        """All that was measured; FP16 beside INT8 where the bundle has it."""
        bundle, pictures = self._bundle, self._judge.pictures
        results = {"fp16": self._judge.judge(bundle.file(ENCODER_FILES["fp16"]))} if "fp16" in bundle.precisions else {}
        nodes = {name: name not in best.keep_float for name in quantised_nodes(self._model)}
        with _as_file(store_halved(best.model)) as path:
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
