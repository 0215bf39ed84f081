from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.score.fit import nll
from calib.score.queries import condensed, gather, judged
from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.ground_view import ground_views
from runtime.locate.mount import MountEstimate
from runtime.locate.retrieve import Retriever
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache
from tests.calib.score.town import CellMeans, Town


def test_a_condensed_tail_says_what_all_tiles_say() -> None:
    rng = np.random.default_rng(6)
    similarity = rng.normal(0.2, 0.12, 30000)
    away_m = rng.uniform(-2000, 2000, (30000, 2))
    values, tiles = condensed(similarity)
    assert (len(values), tiles.sum()) == (4096 + 256, 30000)
    whole = replace(judged(similarity, away_m, 45.0), similarity=np.sort(similarity)[::-1], tiles=np.ones(30000))
    for t in (0.01, 0.03, 0.2):
        found = ScoreMap(t, 0.1)
        short = replace(whole, similarity=values, tiles=tiles)
        assert nll(found, [short])[0] == pytest.approx(nll(found, [whole])[0], abs=1e-3)


@pytest.mark.usefixtures("bundle")
def test_the_right_tile_is_the_one_nearest_to_the_truth(town: Town) -> None:
    flight, cache = Flight.open(town.flights / "one"), TileCache.open(town.tiles)
    engine = CellMeans(cache.metadata.encoder.sha256)
    known = read_truth(flight.path / "truth.csv")
    gathered = gather(flight, known, cache, engine, lambda: None)
    retriever = Retriever(cache, engine)
    for frame, query in zip(flight.frames(), gathered.queries, strict=True):
        [look], ground = ground_views(frame, flight.camera, MountEstimate()), known[frame.t_us].ground
        level = retriever.level_for(look, look.axis_en_m)
        assert ground is not None
        assert level is not None
        embedding = retriever.embed([(look, look.axis_en_m, level)])
        away = {i: distance_m(ground, LatLon(*cache.centre[i])) for i in np.flatnonzero(cache.level == level)}
        nearest = min(away, key=lambda i: away[i])
        cosine = float(embedding[0] @ (cache.embedding[nearest] * cache.scale[nearest]))
        assert query.right == pytest.approx(cosine, abs=1e-5)
        assert query.count == len(away)
