"""Candidates against a slow loop; levels by what a frame sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.geo.camera import Attitude, Camera
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View
from runtime.locate.retrieve import Retriever
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache
from runtime.tiles.search import similarities
from tests.runtime.tiles.drawn import ORIGIN, cache_of, metadata_of, queries_near


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


FOCAL_PX, ALT_M = 500.0, 100.0


@pytest.mark.parametrize(
    ("footprints_m", "level"),
    [
        ((45.0, 64.0, 90.0, 128.0), 2),  # 96 m of ground are seen along the shorter side: 90 m whole
        ((128.0, 256.0), 0),  # 128 m by three quarters, 256 m by a fifth
        ((300.0, 400.0), None),  # less than half of any
    ],
)
def test_the_level_is_the_largest_that_a_frame_sees_well(
    footprints_m: tuple[float, ...], level: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Straight down from 100 m, 640 x 480 pixels of 1/500: 128 x 96 m of ground."""
    rows = [(side_m, side_m / 4, 3) for side_m in footprints_m]
    count = 3 * len(rows)
    cache = TileCache(
        Path("drawn.tiles"),
        metadata_of(rows, 8),
        np.ones((count, 8), np.int8),
        np.ones(count, np.float32),
        np.full((count, 2), ORIGIN),
        np.repeat(np.arange(len(rows)), 3).astype(np.uint8),
    )
    lens = Camera(640, 480, np.array([[FOCAL_PX, 0, 319.5], [0, FOCAL_PX, 239.5], [0, 0, 1.0]]), np.zeros(5))
    view = View(np.zeros((480, 640, 3), np.uint8), lens, Attitude(0.0, -90.0, 30.0), ALT_M)
    assert retriever(cache, monkeypatch).level_for(view, (0.0, 0.0)) == level
