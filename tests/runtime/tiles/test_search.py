"""Fast search against slow loops: the same rows, the same cosines, whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.retrieve import Retriever
from runtime.model.score_map import ScoreMap
from runtime.tiles import search
from runtime.tiles.cache import TileCache
from runtime.tiles.format import quantise_rows
from runtime.tiles.search import Searcher, best, level_rows, similarities
from runtime.tiles.sign_bits import least_differing, sign_bits_of

ORIGIN = LatLon(47.0, 180.0)  # half of the rows lie west of the 180th meridian
ALL = slice(None)


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=4)
def cache_of(count: int, dim: int, seed: int = 0) -> TileCache:
    """Two levels of tiles anywhere in 4 km, each ordered along its north-south axis."""
    rng = np.random.default_rng(seed)
    decay = 0.97 ** np.arange(dim)  # as of a Matryoshka embedding: what comes first tells most
    rows, scale = quantise_rows(unit(rng.normal(size=(count, dim)) * decay))
    north = np.sort(rng.uniform(-2000, 2000, count))
    level = np.repeat([0, 1], [count // 3, count - count // 3]).astype(np.uint8)
    frame = LocalFrame(ORIGIN)
    centre = np.array([frame.to_latlon(e, n) for e, n in zip(rng.uniform(-2000, 2000, count), north, strict=True)])
    levels = [
        {"footprint_m": 64.0, "stride_m": 16.0, "rows": count // 3},
        {"footprint_m": 128.0, "stride_m": 32.0, "rows": count - count // 3},
    ]
    metadata = {"levels": levels, "encoder": {}}
    return TileCache(Path("drawn.tiles"), metadata, rows, scale, centre, level)


def queries_near(cache: TileCache, count: int, seed: int) -> NDArray[np.float32]:
    """Like some rows of the cache, as a frame is like its tile."""
    rng = np.random.default_rng(seed)
    like = cache.embedding[rng.integers(len(cache.embedding), size=count)] / np.float32(127)
    return unit(like + rng.normal(size=like.shape) * 0.15 * np.abs(like).mean())


@given(st.integers(1, 3000), st.integers(1, 4), st.integers(1, 20), st.integers(0, 10**6))
def test_the_best_rows_are_those_of_exact_float_arithmetic(count: int, asked: int, k: int, seed: int) -> None:
    cache = cache_of(3000, 64)
    rows = slice(0, count)
    queries = queries_near(cache, asked, seed)
    found = Searcher(cache, threads=1).top(queries, k, rows)
    wanted = -np.sort(-similarities(cache, queries, rows), axis=1)[:, :k]
    assert found.cosine.shape == wanted.shape == (asked, min(k, count))
    np.testing.assert_allclose(found.cosine, wanted, atol=1e-6)
    stored = np.take_along_axis(similarities(cache, queries, rows), found.row, axis=1)
    np.testing.assert_allclose(stored, found.cosine, atol=1e-6)


def test_threads_and_blocks_change_nothing() -> None:
    cache = cache_of(3000, 64)
    large = replace(cache, **{name: np.concatenate([getattr(cache, name)] * 30) for name in ("embedding", "scale")})
    queries = queries_near(cache, 2, 5)
    one, two = (Searcher(large, threads=n).scan(queries, slice(7, 89_000)) for n in (1, 3))
    assert one.shape == (2, 88_993)
    assert (one == two).all()
    assert np.abs(one - similarities(large, queries, slice(7, 89_000))).max() < 0.01, "a query is rounded to int8"


def by_signs(rows: NDArray[np.int8], query: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The slow reference: every sign compared, one number at a time."""
    return np.argsort(((rows >= 0) != (query >= 0)).sum(axis=1), kind="stable")[:count]


@given(st.integers(0, 300), st.integers(1, 70), st.integers(1, 400), st.integers(0, 10**6))
def test_sketches_differ_where_signs_differ(rows: int, dim: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    held, query = rng.integers(-2, 3, (rows, dim), dtype=np.int8), rng.normal(size=dim).astype(np.float32)
    found = least_differing(sign_bits_of(held), sign_bits_of(query[None])[0], count)
    assert found.tolist() == by_signs(held, query, count).tolist()


@given(st.integers(0, 900), st.integers(1000, 3000), st.integers(1, 3), st.integers(1, 4), st.integers(0, 10**6))
def test_a_large_slice_gives_the_best_of_a_shortlist_by_signs(
    first: int, last: int, asked: int, threads: int, seed: int
) -> None:
    """Each part of the rows, two a thread, has its own shortlist; of them all the best by exact cosine are given."""
    cache = cache_of(3000, 64)
    queries, exact = queries_near(cache, asked, seed), similarities(cache, queries_near(cache, asked, seed), ALL)
    with patch.multiple(search, _SKETCHED_ROWS=50, _THREADED_ROWS=50, _SKETCHED_SHORTLIST=40, _SKETCHED_PARTS=2):
        found = Searcher(cache, threads).top(queries, 2, slice(first, last))
    edges = [first + (last - first) * i // (2 * threads) for i in range(2 * threads + 1)]
    for i, query in enumerate(queries):
        parts = pairwise(edges)
        short = np.concatenate([a + by_signs(cache.embedding[a:b], query, 40) for a, b in parts])
        np.testing.assert_allclose(found.cosine[i], -np.sort(-exact[i, short])[:2], atol=1e-6)
        np.testing.assert_allclose(exact[i, found.row[i]], found.cosine[i], atol=1e-6)


def test_a_row_is_found_among_a_hundred_thousand_by_its_signs() -> None:
    rng = np.random.default_rng(0)
    like = unit(rng.normal(size=(100_000, 64)))
    rows, scale = quantise_rows(like)
    cache = replace(cache_of(3000, 64), embedding=rows, scale=scale)
    asked = rng.integers(1000, 99_000, size=20)
    queries = unit(like[asked] + 0.5 * unit(rng.normal(size=(20, 64))))
    found = Searcher(cache, threads=2).top(queries, 1, slice(1000, 99_000))
    assert found.row[:, 0].tolist() == asked.tolist()


@given(count=st.integers(1, 20_000), wanted=st.integers(1, 300), seed=st.integers(0, 10**6), sampled_high=st.booleans())
def test_the_highest_scores_are_found_even_where_a_sample_misleads(
    *, count: int, wanted: int, seed: int, sampled_high: bool
) -> None:
    scores = np.random.default_rng(seed).normal(size=count).astype(np.float32)
    if sampled_high:
        scores[::61] += 100.0
    found = best(scores, wanted)
    assert len(set(found.tolist())) == min(wanted, count)
    assert np.sort(scores[found]) == pytest.approx(np.sort(scores)[-wanted:])


@given(st.floats(-2500, 2500), st.floats(-2500, 2500), st.floats(1, 3000), st.integers(0, 1), st.integers(1, 12))
def test_a_radius_holds_what_a_slow_loop_finds(east: float, north: float, radius_m: float, level: int, k: int) -> None:
    cache = cache_of(3000, 64)
    place, rows = LocalFrame(ORIGIN).to_latlon(east, north), level_rows(cache, level)
    searcher = Searcher(cache, threads=1)
    wanted = [r for r in range(rows.start, rows.stop) if distance_m(place, LatLon(*cache.centre[r])) <= radius_m]
    assert searcher.near(place, radius_m, rows).tolist() == wanted
    query = queries_near(cache, 2, 3)
    found = searcher.top_near(query, k, place, radius_m, rows)
    exact = similarities(cache, query, ALL)[:, wanted]
    np.testing.assert_allclose(found.cosine, -np.sort(-exact, axis=1)[:, :k], atol=1e-6)


class _Engine:
    """Only named: nothing is embedded here."""


def retriever(cache: TileCache, monkeypatch: pytest.MonkeyPatch) -> Retriever:
    monkeypatch.setattr(TileCache, "check_engine", lambda self, engine: None)
    return Retriever(cache, _Engine(), LocalFrame(ORIGIN), ScoreMap(0.03, 0.0), threads=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [0.0, 1.0, 8.0])
@pytest.mark.parametrize("seed", range(6))
def test_candidates_are_those_of_a_slow_loop(width: float, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row scored exactly, with its prior; the best first, none within half a footprint of a better one."""
    cache, most = cache_of(3000, 64), 6
    query, rows = queries_near(cache, 1, seed), level_rows(cache, 1)
    log_prior = np.random.default_rng(seed).uniform(-width, 0, rows.stop - rows.start).astype(np.float32)
    place_en_m = np.array([LocalFrame(ORIGIN).to_en(LatLon(*c)) for c in cache.centre[rows]])
    score = similarities(cache, query, rows)[0].astype(np.float64) / 0.03 + log_prior
    wanted: list[int] = []
    for row in np.argsort(-score, kind="stable").tolist():
        if all(np.abs(place_en_m[row] - place_en_m[other]).max() >= 64.0 for other in wanted):
            wanted.append(row)
    asked = retriever(cache, monkeypatch)
    scored = asked.score(query, 1, (0.0, 0.0))
    np.testing.assert_allclose(scored.place_en_m, place_en_m, atol=1e-6)
    found = asked.search(query, 1, scored, log_prior, most)
    assert [tuple(c.place) for c in found] == [tuple(cache.centre[rows][row]) for row in wanted[:most]]
    assert [c.score for c in found] == pytest.approx(score[wanted[:most]].tolist(), abs=1e-3)
