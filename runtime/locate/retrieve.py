"""Which tiles of the cache look like the frame? Embed its ground patch and search, inside what is believed already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View, rectify, seen_share
from runtime.locate.limits import RETRIEVAL
from runtime.locate.place_grid import PlaceGrid, TileLikelihood
from runtime.model.engine import Engine
from runtime.model.preprocess import encoder_input
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache
from runtime.tiles.search import Searcher, highest
from runtime.types import FloatArray

UNFITTED = ScoreMap(RETRIEVAL.unfitted_temperature, outlier_share=0.0)  # of a bundle that ``calib.score`` has not seen


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tile that may show what the frame shows."""

    place: LatLon
    log_probability: float  # up to a constant, with the prior in it


class Retriever:
    """Searches one cache with one engine."""

    def __init__(
        self, cache: TileCache, engine: Engine, frame: LocalFrame, score_map: ScoreMap = UNFITTED, threads: int = 0
    ) -> None:
        """Raises CacheEngineError when the cache is another model's."""
        cache.check_engine(engine)
        self._cache, self._engine, self._temperature = cache, engine, score_map.temperature
        self._searcher, self._frame = Searcher(cache, threads), frame
        self._rows = [cache.metadata.level_rows(level) for level in range(len(cache.footprints_m))]
        self._places_en_m: dict[int, FloatArray] = {}

    def grid(self) -> PlaceGrid:
        """Make the grid of a drone that may be anywhere on the map."""
        west, south, east, north = self._cache.metadata.bounds_deg
        low, high = self._frame.to_en(LatLon(south, west)), self._frame.to_en(LatLon(north, east))
        return PlaceGrid(np.array(low), np.array(high))

    def level_for(self, view: View, centre_en_m: tuple[float, float]) -> int | None:
        """Choose the largest level whose footprint about a ground point the frame sees well, else the one seen best.

        None when it sees less than half of any.
        """
        seen = {
            level: seen_share(view, centre_en_m, self._cache.footprints_m[level])
            for level, rows in enumerate(self._rows)
            if rows.start < rows.stop
        }
        well = [level for level, share in seen.items() if share >= RETRIEVAL.well_seen]
        if well:
            return max(well)
        best_seen = max(seen, key=lambda level: seen[level])
        return best_seen if seen[best_seen] >= RETRIEVAL.barely_seen else None

    def embed(self, grounds: Sequence[tuple[View, tuple[float, float], int]]) -> NDArray[np.float32]:
        """Embed ground about points, metres from under the camera, as tiles of levels, in one batch; returns (Q, D)."""
        side_px, inputs = self._engine.side_px, []
        for view, centre_en_m, level in grounds:
            patch = rectify(view, centre_en_m, self._cache.footprints_m[level], side_px)
            inputs.append(encoder_input(patch.picture, patch.seen, side_px))
        return self._engine.embed(np.array(inputs))

    def likelihood(self, embedding: NDArray[np.float32], level: int, axis_en_m: tuple[float, float]) -> TileLikelihood:
        """Return how likely each tile of a level makes one embedding (1, D)."""
        rows, facts = self._rows[level], self._cache.metadata.levels[level]
        logit = self._searcher.scan(embedding, rows)[0] / np.float32(self._temperature)
        return TileLikelihood(self._places(level), logit, axis_en_m, float(facts.footprint_m), float(facts.stride_m))

    def search(
        self,
        embedding: NDArray[np.float32],  # (1, D)
        level: int,
        likelihood: TileLikelihood,
        log_prior: NDArray[np.float32],  # (N,) of the level's tiles
        most: int,
    ) -> list[Candidate]:
        """Return the best tiles by likelihood and prior, best first, no two nearer than half a footprint."""
        rows, total = self._rows[level], likelihood.logit + log_prior
        for count in (RETRIEVAL.shortlist_rows * most, len(total)):
            short = np.sort(highest(total, count))
            cosine = self._searcher.exact(embedding[0], short + rows.start)
            exact = cosine.astype(np.float64) / self._temperature + log_prior[short]
            chosen = _apart(exact, likelihood.place_en_m[short], likelihood.footprint_m / 2, most)
            if len(chosen) == most:
                break
        centre = self._cache.centre[rows.start + short[chosen]].tolist()
        return [Candidate(LatLon(*place), float(exact[i])) for i, place in zip(chosen, centre, strict=True)]

    def _places(self, level: int) -> FloatArray:  # (N, 2)
        """Return where the tiles of a level lie; worked out once."""
        if level not in self._places_en_m:
            rows = self._rows[level]
            self._cache.check_rows(rows, ("centre",))
            self._places_en_m[level] = self._en_m(rows)
        return self._places_en_m[level]

    def _en_m(self, rows: slice) -> FloatArray:  # (M, 2)
        """Work out where the centres of rows lie, about the retriever's frame."""
        per_lon_m, per_lat_m = self._frame.metres_per_degree()
        lat, lon = self._cache.centre[rows].T
        d_lon = short_way_deg(lon - self._frame.origin.lon)
        return np.column_stack([d_lon * per_lon_m, (lat - self._frame.origin.lat) * per_lat_m])


def _apart(
    log_probability: FloatArray,  # (N,)
    place_en_m: FloatArray,  # (N, 2)
    apart_m: float,
    most: int,
) -> list[int]:
    """Choose the most probable whose places are so far from those of all better ones."""
    chosen: list[int] = []
    for one in np.argsort(-log_probability, kind="stable"):
        if (np.abs(place_en_m[chosen] - place_en_m[one]).max(axis=1) >= apart_m).all():
            chosen.append(int(one))
            if len(chosen) == most:
                break
    return chosen
