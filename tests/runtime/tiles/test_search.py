"""Fast search against slow loops: the same rows, the same cosines, whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.tiles.cache import TileCache
from runtime.tiles.search import Searcher, highest, similarities
from tests.runtime.tiles.drawn import cache_of, queries_near, unit_rows, write_small

ALL = slice(None)


@given(st.integers(1, 3000), st.integers(1, 4), st.integers(1, 20), st.integers(0, 10**6))
def test_the_best_rows_are_those_of_exact_float_arithmetic(count: int, asked: int, k: int, seed: int) -> None:
    """A frame is searched for in two steps: scan all rows, then take the exact cosine of a shortlist."""
    cache = cache_of(3000, 64)
    rows, queries, searcher = slice(0, count), queries_near(cache, asked, seed), Searcher(cache, threads=1)
    wanted = -np.sort(-similarities(cache, queries, rows), axis=1)[:, :k]
    for query, scanned, best in zip(queries, searcher.scan(queries, rows), wanted, strict=True):
        cosine = searcher.exact(query, highest(scanned, 16 * k))
        np.testing.assert_allclose(-np.sort(-cosine)[:k], best, atol=1e-6)


def test_threads_and_blocks_change_nothing() -> None:
    cache = cache_of(3000, 64)
    large = replace(cache, **{name: np.concatenate([getattr(cache, name)] * 30) for name in ("embedding", "scale")})
    queries = queries_near(cache, 2, 5)
    one, two = (Searcher(large, threads=n).scan(queries, slice(7, 89_000)) for n in (1, 3))
    assert one.shape == (2, 88_993)
    assert (one == two).all()
    assert np.abs(one - similarities(large, queries, slice(7, 89_000))).max() < 0.01, "a query is rounded to int8"


@given(count=st.integers(1, 20_000), wanted=st.integers(1, 300), seed=st.integers(0, 10**6), sampled_high=st.booleans())
def test_the_highest_scores_are_found_even_where_a_sample_misleads(
    *, count: int, wanted: int, seed: int, sampled_high: bool
) -> None:
    scores = np.random.default_rng(seed).normal(size=count).astype(np.float32)
    if sampled_high:
        scores[::61] += 100.0
    found = highest(scores, wanted)
    assert len(set(found.tolist())) == min(wanted, count)
    assert np.sort(scores[found]) == pytest.approx(np.sort(scores)[-wanted:])


def test_similarities_are_those_of_a_slow_loop(tmp_path: Path) -> None:
    cache = TileCache.open(write_small(tmp_path / "a.tiles"))
    many = replace(
        cache, embedding=np.tile(cache.embedding, (8000, 1)), scale=np.tile(cache.scale, 8000)
    )  # over several blocks
    queries = unit_rows(2, 6, seed=3)
    found = similarities(many, queries, slice(1, 39_000))
    assert found.shape == (2, 38_999)
    for row in (0, 1, 16_382, 16_383, 16_384, 32_767, 38_998):
        stored = many.embedding[row + 1].astype(np.float64) * float(many.scale[row + 1])
        for i, query in enumerate(queries.astype(np.float64)):
            assert found[i, row] == pytest.approx(sum(a * b for a, b in zip(query, stored, strict=True)), abs=1e-6)
