"""Fast search against slow loops: the same rows, the same cosines, whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.retrieve import Retriever
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache
from runtime.tiles.format import quantise_rows
from runtime.tiles.search import Searcher, highest, similarities
from tests.runtime.tiles.drawn import metadata_of, unit_rows, write_small

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
    metadata = metadata_of([(64.0, 16.0, count // 3), (128.0, 32.0, count - count // 3)], dim)
    return TileCache(Path("drawn.tiles"), metadata, rows, scale, centre, level)


def queries_near(cache: TileCache, count: int, seed: int) -> NDArray[np.float32]:
    """Like some rows of the cache, as a frame is like its tile."""
    rng = np.random.default_rng(seed)
    like = cache.embedding[rng.integers(len(cache.embedding), size=count)] / np.float32(127)
    return unit(like + rng.normal(size=like.shape) * 0.15 * np.abs(like).mean())


@given(st.integers(1, 3000), st.integers(1, 4), st.integers(1, 20), st.integers(0, 10**6))
def test_the_best_rows_are_those_of_exact_float_arithmetic(count: int, asked: int, k: int, seed: int) -> None:
    """As a frame is searched for: scan all rows, then take the exact cosine of a shortlist."""
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
    query, rows = queries_near(cache, 1, seed), cache.metadata.level_rows(1)
    log_prior = np.random.default_rng(seed).uniform(-width, 0, rows.stop - rows.start).astype(np.float32)
    place_en_m = np.array([LocalFrame(ORIGIN).to_en(LatLon(*c)) for c in cache.centre[rows]])
    score = similarities(cache, query, rows)[0].astype(np.float64) / 0.03 + log_prior
    wanted: list[int] = []
    for row in np.argsort(-score, kind="stable").tolist():
        if all(np.abs(place_en_m[row] - place_en_m[other]).max() >= 64.0 for other in wanted):
            wanted.append(row)
    asked = retriever(cache, monkeypatch)
    scored = asked.likelihood(query, 1, (0.0, 0.0))
    np.testing.assert_allclose(scored.place_en_m, place_en_m, atol=1e-6)
    found = asked.search(query, 1, scored, log_prior, most)
    assert [tuple(c.place) for c in found] == [tuple(cache.centre[rows][row]) for row in wanted[:most]]
    assert [c.log_probability for c in found] == pytest.approx(score[wanted[:most]].tolist(), abs=1e-3)


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
