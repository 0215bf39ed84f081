"""Retrieval metrics against a loop over queries in whole numbers, and the rule for ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.scoring import ranking as retrieval
from train.scoring.ranking import Scores, rank, score


def _similarity(a: np.ndarray, b: np.ndarray) -> int:
    """Millionths, by Python's whole numbers: nothing is rounded before the end."""
    dot = sum(round(float(x) * 2**26) * round(float(y) * 2**26) for x, y in zip(a, b, strict=True))
    return round(dot / 2**52 * 1e6)


def _loop(query: np.ndarray, gallery: np.ndarray, query_places: np.ndarray, gallery_places: np.ndarray) -> Scores:
    """Each query on its own: positions counted by hand, wrong items first among equals."""
    percent_at = round(len(gallery) / 100) + 1
    recall = dict.fromkeys((1, 5, 10, percent_at), 0)
    ap_sum = 0.0
    for row, place in zip(query, query_places, strict=True):
        items = [(_similarity(row, g), bool(p == place)) for g, p in zip(gallery, gallery_places, strict=True)]
        items.sort(key=lambda item: (-item[0], item[1]))
        ranks = [at for at, (_, right) in enumerate(items) if right]
        for k in recall:
            recall[k] += bool(ranks) and ranks[0] < k
        ap = 0.0
        for i, hit in enumerate(ranks):
            ap += 0.5 * ((i + 1) / (hit + 1) + (i / hit if hit else 1.0))
        ap_sum += ap / len(ranks) if ranks else 0.0
    n = len(query)
    return Scores(recall[1] / n, recall[5] / n, recall[10] / n, recall[percent_at] / n, ap_sum / n, n, len(gallery))


def _near(rng: np.random.Generator, count: int, dim: int, spread: float) -> np.ndarray:
    """Unit vectors about few points: with a spread near 1e-6 ties are common, and all but ties more so."""
    rows = rng.standard_normal((4, dim))[rng.integers(0, 4, count)] + spread * rng.standard_normal((count, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@given(
    st.integers(1, 12), st.integers(1, 130), st.integers(1, 8), st.sampled_from([0, 1e-6, 1]), st.integers(0, 10_000)
)
@settings(max_examples=40)
def test_scores_equal_a_loop_over_queries_with_ties_and_queries_without_positives(
    queries: int, items: int, places: int, spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    query, gallery = _near(rng, queries, 5, spread), _near(rng, items, 5, spread)
    query_places, gallery_places = rng.integers(0, places + 2, queries), rng.integers(0, places, items)
    got = score(query, gallery, query_places, gallery_places)
    want = _loop(query, gallery, query_places, gallery_places)
    for name in ("r1", "r5", "r10", "r1_percent", "ap", "queries", "gallery"):
        assert getattr(got, name) == pytest.approx(getattr(want, name), rel=0, abs=1e-12), name


def test_neither_blocks_nor_threads_nor_the_order_of_the_gallery_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    query, gallery = _near(rng, 40, 257, 1e-6), _near(rng, 300, 257, 1e-6)  # an odd length: no kernel fits it
    query_places, gallery_places = rng.integers(0, 9, 40), rng.integers(0, 9, 300)
    whole = rank(query, gallery, query_places, gallery_places)
    monkeypatch.setattr(retrieval, "_BLOCK", 2100)
    monkeypatch.setattr(retrieval, "_PRODUCTS", 210)
    monkeypatch.setattr(retrieval.os, "cpu_count", lambda: 3)
    order = rng.permutation(300)
    parts = rank(query, gallery[order], query_places, gallery_places[order])
    assert np.array_equal(whole.first, parts.first)
    assert np.allclose(whole.ap, parts.ap, rtol=0, atol=1e-12)


def test_what_is_equally_alike_ties_at_the_edge_of_a_rounding_in_whichever_order_it_is_summed() -> None:
    near = 0.1234565 + np.arange(-3, 4) * np.spacing(0.1234565)
    edge = float(near[np.rint(near * 1e6) == 123456].max())
    large = np.float32(4 * edge)
    small = np.float32(4 * edge - float(large))
    rest = np.float32(4 * edge - float(large) - float(small))
    crumb = np.float32(0.4 * np.spacing(4 * edge))  # one is lost beside the sum; two, added first, are not
    gallery = np.float32([[large, small, rest, crumb, crumb], [crumb, crumb, rest, small, large]])
    query = np.full((1, 5), 0.25, np.float32)
    for right in (0, 1):
        assert score(query, gallery, np.array([right]), np.arange(2)).r1 == 0


def test_the_first_answers_are_the_nearest_items_and_wrong_ones_come_first_among_equals() -> None:
    gallery = np.float32([[0, 1], [0.6, 0.8], [1, 0], [1, 0]])
    ranking = rank(np.float32([[1, 0]]), gallery, np.array([7]), np.array([1, 2, 7, 3]), top=3)
    assert ranking.answers.tolist() == [[3, 2, 1]]
    assert ranking.first.tolist() == [1]


def test_an_encoder_that_maps_all_to_one_point_scores_nothing() -> None:
    rows = np.tile(np.float32([0.6, 0.8]), (100, 1))
    got = score(rows, rows, np.arange(100), np.arange(100))
    assert (got.r1, got.r5, got.r10, got.r1_percent) == (0, 0, 0, 0)
    assert got.ap == pytest.approx(1 / 200)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, 0.0])
def test_an_encoder_of_no_numbers_scores_nothing(spoilt: float) -> None:
    rows = np.full((20, 2), spoilt, np.float32)
    assert score(rows, rows, np.arange(20), np.arange(20)).r10 == 0


def test_one_row_that_is_no_number_costs_its_own_query_alone() -> None:
    rows = np.eye(20, dtype=np.float32)
    query, gallery = rows.copy(), rows.copy()
    query[3, 3] = np.nan
    assert score(query, rows, np.arange(20), np.arange(20)).r10 == 19 / 20
    gallery[3, 5] = np.inf
    assert score(rows, gallery, np.arange(20), np.arange(20)).r10 == 19 / 20


def test_rows_that_are_not_of_unit_norm_are_refused() -> None:
    rows = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match=r"gallery: row 1 has norm 2\.000"):
        score(rows, rows * np.float32([[1], [2], [1]]), np.arange(3), np.arange(3))


@pytest.mark.parametrize(("hits", "ap"), [([0], 1.0), ([1], 0.25), ([2], 1 / 6), ([0, 1], 1.0), ([], 0.0)])
def test_average_precision_is_the_trapezoid_of_the_benchmarks(hits: list[int], ap: float) -> None:
    gallery = np.stack([np.linspace(1, 0, 4), np.zeros(4)], axis=1).astype(np.float32)
    places = np.array([int(k in hits) for k in range(4)])
    got = score(np.float32([[1, 0]]), gallery, np.array([1]), places)
    assert got.ap == pytest.approx(ap)


def test_one_per_cent_of_951_tiles_is_the_first_eleven_as_public_code_reads_it() -> None:
    gallery = np.zeros((951, 2), np.float32)
    gallery[:, 0] = np.linspace(1, 0, 951)
    query = np.float32([[1, 0], [1, 0]])
    got = score(query, gallery, np.array([10, 11]), np.arange(951))
    assert got.r1_percent == 0.5
