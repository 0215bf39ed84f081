"""Places that a frame looks like, against a slow search of every tile; levels by what a frame sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.geo.camera import Attitude, Camera
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View
from runtime.locate.limits import RETRIEVAL
from runtime.locate.retrieve import Likeness, Look, Retriever
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache
from runtime.tiles.format import quantise_rows
from runtime.types import FloatArray
from tests.runtime.tiles.drawn import ORIGIN, metadata_of, unit, windows_about

DIM, HALF_M, TEMPERATURE = 64, 500.0, 0.03
ROUNDED = 0.003  # of cosine: a scanned query is rounded to int8
FRAME = LocalFrame(LatLon(ORIGIN.lat + 2e-3, -179.998))  # on the other side of the 180th meridian than most of the map


class _Engine:
    """Only named: nothing is embedded here."""


def retriever(cache: TileCache, monkeypatch: pytest.MonkeyPatch, temperature: float = TEMPERATURE) -> Retriever:
    monkeypatch.setattr(TileCache, "check_engine", lambda self, engine: None)
    return Retriever(cache, _Engine(), ScoreMap(temperature, 0.0), threads=1)  # type: ignore[arg-type]


def appearance(place_en_m: FloatArray) -> NDArray[np.float32]:  # (N, DIM)
    """How ground looks: ground some 30 m away looks much the same, and further away like any other."""
    rng = np.random.default_rng(5)
    waves, phase = rng.normal(0.0, 1 / 30.0, (2, DIM)), rng.uniform(0.0, 2 * np.pi, DIM)
    return unit(np.cos(place_en_m @ waves + phase))


@lru_cache(maxsize=1)
def town() -> TileCache:
    drawn = windows_about(ORIGIN, HALF_M, DIM)
    rows, scale = quantise_rows(appearance(places_en_m(drawn)))
    return replace(drawn, embedding=rows, scale=scale)


def places_en_m(cache: TileCache) -> FloatArray:
    """Where every tile lies about FRAME."""
    lat, lon = cache.centre.T
    east, north = (lon - FRAME.origin.lon + 540.0) % 360.0 - 180.0, lat - FRAME.origin.lat
    return np.asarray(np.column_stack([east, north]) * FRAME.metres_per_degree())


def looks_at(drone_en_m: FloatArray, level: int, count: int, seed: int) -> list[Look]:
    """One look sees the ground where its axis points from the drone, the others ground that is elsewhere."""
    rng, looks = np.random.default_rng(seed), []
    for k in range(count):
        axis_en_m = rng.uniform(-60.0, 60.0, 2)
        ground = drone_en_m + axis_en_m if k == count // 2 else rng.uniform(-4000.0, 4000.0, 2)
        embedding = unit(appearance(ground[None]) + rng.normal(0.0, 0.03, (1, DIM)))[0]
        query = embedding - 0.1 * unit(rng.normal(0.0, 1.0, (1, DIM)))[0]  # less what all frames have in common
        looks.append(Look(3 * k + 1, level, (float(axis_en_m[0]), float(axis_en_m[1])), embedding, query))
    return looks


@dataclass(frozen=True)
class Slow:
    """All pairs of a tile and a look, the likest first: (M,) or (M, 2)."""

    cosine: FloatArray
    share: FloatArray  # softmax
    tile_en_m: FloatArray
    drone_en_m: FloatArray
    view: NDArray[np.int64]
    beyond: FloatArray  # cosine above that of the last on its look's shortlist
    best_cosine: float  # of the looks as they are, among what the queries name

    def places(self, footprint_m: float, most: int) -> list[NDArray[np.int64]]:
        """The pairs of each place, the best first: those that no better one has within half a footprint."""
        free, found = list(range(len(self.cosine))), list[NDArray[np.int64]]()
        while free and len(found) < most:
            away = np.abs(self.drone_en_m[free] - self.drone_en_m[free[0]]).max(axis=1)
            found.append(np.array(free)[away < footprint_m / 2])
            free = np.array(free)[away >= footprint_m / 2].tolist()
        return found


def slowly(
    cache: TileCache, looks: Sequence[Look], temperature: float, drone_en_m: FloatArray | None, reach_m: float
) -> Slow:
    """Take every cosine exactly; of the tiles about where each look's ground may be, if the drone is about a place."""
    cosines, tiles, drones, views, beyond, best_cosine = [], [], [], [], [], -1.0
    for look in looks:
        rows = np.flatnonzero(cache.level == look.level)
        if drone_en_m is not None:
            ground = FRAME.to_latlon(*(drone_en_m + look.axis_en_m).tolist())
            away_m = [np.hypot(*LocalFrame(ground).to_en(LatLon(*place))) for place in cache.centre[rows].tolist()]
            rows = rows[np.array(away_m) <= reach_m]
        held = cache.embedding[rows] * cache.scale[rows, None].astype(np.float64)
        cosine = held @ look.query
        if len(rows):
            best_cosine = max(best_cosine, float((held @ look.embedding).max()))
        cosines.append(cosine)
        tiles.append(places_en_m(cache)[rows])
        drones.append(tiles[-1] - look.axis_en_m)
        views.append(np.full(len(rows), look.view))
        beyond.append(cosine - np.sort(cosine)[-RETRIEVAL.shortlist_rows :].min(initial=1.0))
    cosine = np.concatenate(cosines)
    weight = np.exp((cosine - cosine.max()) / temperature)
    order = np.argsort(-cosine)
    parts = (cosine, weight / weight.sum(), *(np.concatenate(some) for some in (tiles, drones, views, beyond)))
    return Slow(*(part[order] for part in parts), best_cosine)


def check_places(found: Likeness, slow: Slow, level: int) -> list[NDArray[np.int64]]:
    """The places are those of the slow search; returns the pairs of each."""
    facts = town().metadata.levels[level]
    assert (found.footprint_m, found.stride_m) == (facts.footprint_m, facts.stride_m)
    assert found.best_cosine == pytest.approx(slow.best_cosine, abs=1e-5)
    places = slow.places(facts.footprint_m, RETRIEVAL.places)
    first = [place[0] for place in places][: len(found.view)]
    assert found.view.tolist() == slow.view[first].tolist()
    np.testing.assert_allclose(found.tile_en_m, slow.tile_en_m[first], atol=1e-6)
    np.testing.assert_allclose(found.drone_en_m, slow.drone_en_m[first], atol=1e-6)
    return places


@pytest.mark.parametrize("temperature", [0.03, 0.2])
@pytest.mark.parametrize(("level", "looks"), [(0, 1), (0, 4), (1, 1), (1, 12)])
@pytest.mark.parametrize("seed", range(3))
def test_anywhere_names_the_places_of_a_slow_search_of_every_tile(
    *, temperature: float, level: int, looks: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told is of a shortlist, and of the sum over all tiles and looks, whose queries are rounded to int8."""
    drone_en_m = np.random.default_rng(seed).uniform(-300.0, 200.0, 2)
    asked = looks_at(drone_en_m, level, looks, seed)
    found = retriever(town(), monkeypatch, temperature).anywhere(FRAME, asked)
    slow = slowly(town(), asked, temperature, None, 0.0)
    places = check_places(found, slow, level)
    assert len(found.view) == len(places) or len(found.view) >= 8, "as many as a shortlist holds"
    slack = 1 + ROUNDED / temperature
    for probability, place in zip(found.probability, places, strict=False):
        share, beyond = slow.share[place], slow.beyond[place]
        listed, perhaps_listed = share[beyond > ROUNDED].sum(), share[beyond > -ROUNDED].sum()
        assert listed / slack <= probability <= perhaps_listed * slack
        if temperature == TEMPERATURE:
            assert probability == pytest.approx(share.sum(), rel=ROUNDED / temperature, abs=1e-3), "nothing else counts"
    assert found.probability.sum() <= 1.0 + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_the_true_place_is_the_likest_under_the_true_heading(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drone_en_m = np.random.default_rng(seed).uniform(-300.0, 200.0, 2)
    asked = looks_at(drone_en_m, 0, 5, seed)
    found = retriever(town(), monkeypatch).anywhere(FRAME, asked)
    assert np.abs(found.drone_en_m[0] - drone_en_m).max() < 16.0
    assert found.view[0] == asked[2].view
    assert found.probability[0] == found.probability.max() > 0.5


@pytest.mark.parametrize(("level", "looks"), [(0, 1), (0, 4), (1, 12)])
@pytest.mark.parametrize(("east_m", "reach_m"), [(-200.0, 90.0), (-200.0, 400.0), (-650.0, 120.0), (-760.0, 200.0)])
def test_near_names_the_places_of_a_slow_search_of_the_tiles_about(
    *, level: int, looks: int, east_m: float, reach_m: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the map and over its western rim, where some looks see ground that is not on it."""
    drone_en_m = np.array([east_m, -150.0])
    asked = looks_at(drone_en_m + 20.0, level, looks, looks)
    found = retriever(town(), monkeypatch).near(FRAME, asked, drone_en_m, reach_m)
    slow = slowly(town(), asked, TEMPERATURE, drone_en_m, reach_m)
    assert found is not None
    places = check_places(found, slow, level)
    assert len(found.view) == len(places), "none is left out: all tiles are compared"
    assert found.probability == pytest.approx([float(slow.share[place].sum()) for place in places], abs=1e-5)
    assert (np.hypot(*(found.drone_en_m - drone_en_m).T) <= reach_m * 1.001).all()


def test_beside_the_map_nothing_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    here, asked = np.array([3000.0, 0.0]), looks_at(np.zeros(2), 0, 3, 0)
    assert retriever(town(), monkeypatch).near(FRAME, asked, here, 200.0) is None


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
