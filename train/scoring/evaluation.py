"""An evaluation, from its spec to its scores and files: what ``train.evaluate`` runs."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2

from runtime.files import write_text_whole
from runtime.progress import progress
from train.data.retrieval_set import RetrievalSet
from train.scoring.distances import TOP, DistanceScores, distance_scores
from train.scoring.embed import RowsByName, embed_sets, rank_set, stacked
from train.scoring.evaluate_spec import EvaluateSpec
from train.scoring.evaluated_sets import open_sets
from train.scoring.failures import draw_failures, write_places
from train.scoring.open_encoder import OpenedEncoder, open_encoder
from train.scoring.ranking import Ranking
from train.scoring.report import EvaluationReport, SetScores, write_report
from train.scoring.robustness import Curves, measure_robustness, plot_robustness

logger = logging.getLogger(__name__)

PLACES, ROBUSTNESS = "places.csv", "robustness.png"


class EvaluatedSet(NamedTuple):
    """A set that was scored: its ranking, and what was measured beside it."""

    retrieval_set: RetrievalSet
    ranking: Ranking
    distances: DistanceScores | None
    curves: Curves | None


def evaluate(
    spec: EvaluateSpec, on_scores: Callable[[EvaluationReport], None] = lambda report: None
) -> EvaluationReport:
    """Score the encoder on all sets; with ``spec.out`` also write report, places and pictures of failures.

    ``on_scores`` is given the report before files are written: a full disk loses no scores. Raises SkyfixError.
    """
    cv2.setNumThreads(1)  # pictures are read in threads of our own
    started = time.monotonic()
    encoder = open_encoder(spec.encoder, spec.precision, dim=spec.dim, flips=spec.flips)
    logger.debug("%s: %s, %d px, D = %d", spec.encoder, encoder.card.name, encoder.side_px, encoder.dim)
    groups = open_sets(spec, encoder.side_px)
    results = [result for group in groups for result in _score_sets(spec, encoder, group.sets)]
    report = EvaluationReport(
        encoder=encoder.card,
        data=spec.data,
        protocol=spec.protocol,
        flips_summed=spec.flips,
        remarks=[remark for group in groups for remark in group.remarks],
        sets={r.retrieval_set.name: SetScores(r.ranking.scores(), r.distances) for r in results},
        robustness={r.retrieval_set.name: r.curves for r in results if r.curves},
        robustness_queries=spec.robustness,
        seconds=round(time.monotonic() - started, 1),
    )
    on_scores(report)
    if spec.out is not None:
        _write(spec.out, report, results)
    if spec.report is not None:
        write_text_whole(spec.report, json.dumps(report.to_json(), indent=2) + "\n")
        logger.info("%s", spec.report)
    return report


def _score_sets(spec: EvaluateSpec, encoder: OpenedEncoder, sets: Sequence[RetrievalSet]) -> list[EvaluatedSet]:
    """Embed every picture of the sets once and rank it; raises DataError."""
    with progress("pictures") as tick:
        rows = embed_sets(encoder.embed, sets, encoder.side_px, workers=spec.workers, tick=tick)
    results = []
    for retrieval_set in sets:
        queries, gallery = len(retrieval_set.queries), len(retrieval_set.gallery)
        logger.debug("%s: %d queries, gallery %d", retrieval_set.name, queries, gallery)
        ranking = rank_set(retrieval_set, rows, top=TOP)
        curves = _curves(spec, encoder, retrieval_set, rows) if retrieval_set.asks_from_drone else None
        results.append(EvaluatedSet(retrieval_set, ranking, distance_scores(retrieval_set, ranking.answers), curves))
        if spec.out is not None:
            draw_failures(spec.out / _failures_name(retrieval_set), retrieval_set, ranking, rows)
    return results


def _curves(spec: EvaluateSpec, encoder: OpenedEncoder, retrieval_set: RetrievalSet, rows: RowsByName) -> Curves | None:
    """Measure R@1 of changed queries, where the spec asks for it; raises DataError."""
    if spec.robustness is None:
        return None
    gallery = stacked(rows, retrieval_set.gallery)
    with progress("changes") as tick:
        return measure_robustness(
            encoder.embed,
            retrieval_set,
            gallery,
            encoder.side_px,
            queries=spec.robustness,
            workers=spec.workers,
            tick=tick,
        )


def _write(out: Path, report: EvaluationReport, results: Sequence[EvaluatedSet]) -> None:
    """Write the report, the places and the curves, and log where all files are."""
    written = write_report(out, report)
    write_places(out / PLACES, [(r.retrieval_set, r.ranking) for r in results])
    written.append(out / PLACES)
    if report.robustness:
        plot_robustness(report.robustness, out / ROBUSTNESS)
        written.append(out / ROBUSTNESS)
    for path in [*written, *(out / _failures_name(r.retrieval_set) for r in results)]:
        logger.info("%s", path)


def _failures_name(retrieval_set: RetrievalSet) -> str:
    """Return the file name of a set's failures."""
    return f"failures-{re.sub(r'[^a-z0-9]+', '-', retrieval_set.name.lower())}.png"
