"""Retrieval metrics against a loop over queries, and the rule for ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.retrieval import Scores, average_precision, score


def _loop(query: np.ndarray, gallery: np.ndarray, query_places: np.ndarray, gallery_places: np.ndarray) -> Scores:
    """Each query on its own: positions counted by hand, wrong items first among equals."""
    percent_at = round(len(gallery) / 100) + 1
    recall = dict.fromkeys((1, 5, 10, percent_at), 0)
    ap_sum = 0.0
    for row, place in zip(query, query_places, strict=True):
        items = [(round(float(g @ row), 6), bool(p == place)) for g, p in zip(gallery, gallery_places, strict=True)]
        items.sort(key=lambda item: (-item[0], item[1]))
        ranks = [rank for rank, (_, right) in enumerate(items) if right]
        for k in recall:
            recall[k] += bool(ranks) and ranks[0] < k
        ap = 0.0
        for i, rank in enumerate(ranks):
            ap += 0.5 * ((i + 1) / (rank + 1) + (i / rank if rank else 1.0))
        ap_sum += ap / len(ranks) if ranks else 0.0
    n = len(query)
    return Scores(recall[1] / n, recall[5] / n, recall[10] / n, recall[percent_at] / n, ap_sum / n, n, len(gallery))


@given(st.integers(1, 12), st.integers(1, 130), st.integers(1, 8), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_scores_equal_a_loop_over_queries_with_ties_and_queries_without_positives(
    queries: int, items: int, places: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Few different vectors, so that ties are common; more query places than gallery places.
    points = np.eye(4, dtype=np.float32)
    query, gallery = points[rng.integers(0, 4, queries)], points[rng.integers(0, 4, items)]
    query_places, gallery_places = rng.integers(0, places + 2, queries), rng.integers(0, places, items)
    got = score(query, gallery, query_places, gallery_places)
    want = _loop(query, gallery, query_places, gallery_places)
    for name in ("r1", "r5", "r10", "r1_percent", "ap"):
        assert getattr(got, name) == pytest.approx(getattr(want, name)), name


def test_an_encoder_that_maps_all_to_one_point_scores_nothing() -> None:
    rows = np.tile(np.float32([0.6, 0.8]), (100, 1))
    got = score(rows, rows, np.arange(100), np.arange(100))
    assert (got.r1, got.r5, got.r10, got.r1_percent) == (0, 0, 0, 0)
    assert got.ap == pytest.approx(1 / 200)


def test_an_encoder_of_nans_scores_nothing() -> None:
    rows = np.full((20, 2), np.nan, np.float32)
    assert score(rows, rows, np.arange(20), np.arange(20)).r10 == 0


@pytest.mark.parametrize(("hits", "ap"), [([0], 1.0), ([1], 0.25), ([2], 1 / 6), ([0, 1], 1.0), ([], 0.0)])
def test_average_precision_is_the_trapezoid_of_the_benchmarks(hits: list[int], ap: float) -> None:
    assert average_precision(np.array(hits, np.int64)) == pytest.approx(ap)


def test_one_per_cent_of_951_tiles_is_the_first_eleven_as_public_code_reads_it() -> None:
    gallery = np.zeros((951, 2), np.float32)
    gallery[:, 0] = np.linspace(1, 0, 951)
    query = np.float32([[1, 0], [1, 0]])
    got = score(query, gallery, np.array([10, 11]), np.arange(951))
    assert got.r1_percent == 0.5
