"""Graphs held against FP32: FP32's answers are computed once, and every reduced graph is measured beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.samples.gate_set import GateSet
from export.graphs.parity import Embeddings, check_parity, embed
from export.int8.gates import GateResult, SetResult
from runtime.types import FloatArray, Tick

_RESAMPLES = 200


def _silent(done: int, total: int) -> None:
    """Draw no progress."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a graph on a gate set."""

    right: NDArray[np.bool_]  # (N,)
    off_m: FloatArray | None  # (N,) from the true place to the answer's, where places are known

    @property
    def r1(self) -> float:
        """Share of queries whose nearest row is right."""
        return float(self.right.mean())


@dataclass(frozen=True, slots=True)
class _JudgedSet:
    """A gate set with FP32's answers."""

    gate_set: GateSet
    sha256: str
    fp32: Answers


@dataclass(frozen=True, slots=True)
class Reference:
    """FP32's answers, which other graphs are held against."""

    pictures: NDArray[np.uint8]  # (N, S, S, 3), not calibrated on
    embeddings: Embeddings  # (N, D)
    sets: tuple[_JudgedSet, ...]


def answer_as_fp32(
    fp32: Path,
    pictures: NDArray[np.uint8],  # (N, S, S, 3), not calibrated on
    sets: Sequence[GateSet],
    tick: Tick = _silent,  # of the queries of each set
) -> Reference:
    """Let the FP32 graph answer everything once; minutes, where a set has thousands of queries."""
    hashes = [gate_set.sha256 for gate_set in sets]
    embeddings = embed(fp32, pictures)
    judged = (
        _JudgedSet(gate_set, sha256, _search_with(fp32, gate_set, optimise=True, tick=tick))
        for gate_set, sha256 in zip(sets, hashes, strict=True)
    )
    return Reference(pictures, embeddings, tuple(judged))


def cosines(reference: Reference, graph: Path) -> NDArray[np.float32]:  # (N,)
    """Return the cosine to FP32 of each picture; raises GateError for a graph of another shape."""
    got = embed(graph, reference.pictures, optimise=False)
    check_parity(reference.embeddings, got, what=graph.name.removesuffix(".partial"), min_cosine=-np.inf)
    return np.asarray((reference.embeddings * got).sum(axis=1), np.float32)


def judge_pictures(reference: Reference, graph: Path) -> GateResult:
    """Measure the cosines of a graph alone."""
    to_fp32 = cosines(reference, graph)
    return GateResult(len(to_fp32), float(to_fp32.mean()), float(to_fp32.min()), ())


def judge(reference: Reference, graph: Path, tick: Tick = _silent) -> GateResult:
    """Measure all of a graph. Sets are left out where the cosines fail already: they cost minutes.

    Each graph searches a gallery of its own embeddings, as the engine that builds a cache is the one that flies.
    """
    result = judge_pictures(reference, graph)
    if result.failure():
        return result
    results = (
        _compare(judged, _search_with(graph, judged.gate_set, optimise=False, tick=tick)) for judged in reference.sets
    )
    return replace(result, sets=tuple(results))


def search(
    queries: Embeddings,  # (N, D)
    gallery: Embeddings,  # (M, D)
    gate_set: GateSet,
) -> Answers:
    """Find each query's nearest row, and say what that is worth."""
    row = (queries @ gallery.T).argmax(axis=1)
    every = np.arange(len(row))
    return Answers(gate_set.right[every, row], None if gate_set.off_m is None else gate_set.off_m[every, row])


def _search_with(graph: Path, gate_set: GateSet, *, optimise: bool, tick: Tick) -> Answers:
    queries = embed(graph, gate_set.queries, optimise=optimise, fuse=True, tick=tick)
    return search(queries, embed(graph, gate_set.gallery, optimise=optimise, fuse=True), gate_set)


def _compare(judged: _JudgedSet, reduced: Answers) -> SetResult:
    """Set a reduced graph's answers beside FP32's."""
    gate_set, fp32 = judged.gate_set, judged.fp32
    error = float(np.sqrt((fp32.right != reduced.right).sum())) / len(fp32.right)
    sizes = len(gate_set.queries), len(gate_set.gallery)
    result = SetResult(gate_set.name, judged.sha256, *sizes, reduced.r1, fp32.r1, error)
    if fp32.off_m is None or reduced.off_m is None:
        return result
    p90_m, p90_m_fp32 = (float(np.percentile(off_m, 90)) for off_m in (reduced.off_m, fp32.off_m))
    error = _p90_error(fp32.off_m, reduced.off_m)
    return replace(result, p90_m=p90_m, p90_m_fp32=p90_m_fp32, p90_loss_error=error)


def _p90_error(
    fp32_m: FloatArray,  # (N,)
    reduced_m: FloatArray,  # (N,)
) -> float:
    """Return the standard error of the relative loss: the same queries are drawn for both, with replacement."""
    rows = np.random.default_rng(0).integers(0, len(fp32_m), (_RESAMPLES, len(fp32_m)))
    fp32, reduced = (np.percentile(off_m[rows], 90, axis=1) for off_m in (fp32_m, reduced_m))
    return float(np.std(reduced / np.maximum(fp32, 1e-9) - 1))
