"""Which tiles of the cache look like the frame? Embed its ground patch and search, inside what is believed already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.geo.camera import FloatArray
from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View, rectify, seen_share
from runtime.model.engine import Engine
from runtime.model.preprocess import encoder_input
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache
from runtime.tiles.search import Searcher, best, level_rows

WELL_SEEN, BARELY_SEEN = 0.8, 0.5  # shares of a patch
UNFITTED = ScoreMap(temperature=0.03, outlier_share=0.0)  # of a bundle that ``calib.score`` has not seen
_OUTLIER_LOG = -8.0  # a prior may be wrong: no tile is less likely than this for being far away
_MARGIN = 1.1  # of a reach: metres are counted about another origin there
_SHORTLIST = 256  # rows a candidate: neighbours of the best fill it first


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tile that may show what the frame shows."""

    place: LatLon
    score: float  # log-probability up to a constant, with the prior in it
    cosine: float


@dataclass(frozen=True, slots=True)
class Prior:
    """Where the ground at the patch's centre is believed to be, about the retriever's frame."""

    mean_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)


class Retriever:
    """Searches one cache with one engine."""

    def __init__(
        self, cache: TileCache, engine: Engine, frame: LocalFrame, score_map: ScoreMap = UNFITTED, threads: int = 0
    ) -> None:
        """Raises CacheEngineError when the cache is another model's."""
        cache.check_engine(engine)
        self._cache, self._engine, self._temperature = cache, engine, score_map.temperature
        self._searcher, self._frame = Searcher(cache, threads), frame
        self._rows = [level_rows(cache, level) for level in range(len(cache.footprints_m))]

    def level_for(self, view: View, centre_en_m: tuple[float, float]) -> int | None:
        """The largest level whose footprint about a ground point the frame sees well, else the one it sees best.

        None when it sees less than half of any.
        """
        seen = {
            level: seen_share(view, centre_en_m, self._cache.footprints_m[level])
            for level, rows in enumerate(self._rows)
            if rows.start < rows.stop
        }
        well = [level for level, share in seen.items() if share >= WELL_SEEN]
        if well:
            return max(well)
        best = max(seen, key=lambda level: seen[level])
        return best if seen[best] >= BARELY_SEEN else None

    def footprint_m(self, level: int) -> float:
        """Side of the tiles of a level."""
        return self._cache.footprints_m[level]

    def embed(self, view: View, centre_en_m: tuple[float, float], level: int) -> NDArray[np.float32]:
        """(1, D) embedding of the ground about a point, as a tile of ``level``."""
        patch = rectify(view, centre_en_m, self._cache.footprints_m[level], self._engine.side_px)
        return self._engine.embed(encoder_input(patch.picture, patch.seen, self._engine.side_px)[None])

    def search(
        self,
        embedding: NDArray[np.float32],  # (1, D)
        level: int,
        prior: Prior | None,
        most: int,
    ) -> list[Candidate]:
        """The best tiles, best first, no two nearer than half a footprint."""
        rows, footprint_m = self._rows[level], self._cache.footprints_m[level]
        score = self._searcher.scan(embedding, rows)[0] / np.float32(self._temperature)
        if prior is not None:
            self._favour(score, prior, rows, footprint_m)
        for count in (_SHORTLIST * most, len(score)):
            short = np.sort(best(score, count)) + rows.start
            chosen = self._apart(embedding[0], short, prior, footprint_m, most)
            if len(chosen) == most:
                break
        return chosen

    def _favour(self, score: NDArray[np.float32], prior: Prior, rows: slice, footprint_m: float) -> None:
        """Add a prior to the scores of all rows; where it is at its floor it is the same everywhere."""
        cov = _widened(prior, footprint_m)
        reach_m = float(np.sqrt(-2.0 * _OUTLIER_LOG * np.linalg.eigvalsh(cov)[-1]))
        middle = self._frame.to_latlon(float(prior.mean_en_m[0]), float(prior.mean_en_m[1]))
        near = self._searcher.near(middle, _MARGIN * reach_m, rows)
        score += np.float32(_OUTLIER_LOG)
        score[near - rows.start] += (_log_prior(self._en_m(near), prior, footprint_m) - _OUTLIER_LOG).astype(np.float32)

    def _apart(
        self,
        embedding: NDArray[np.float32],  # (D,)
        short: NDArray[np.int64],  # (M,) rows
        prior: Prior | None,
        footprint_m: float,
        most: int,
    ) -> list[Candidate]:
        """The best of some rows by their exact cosines, each half a footprint from any better one."""
        cosine = self._searcher.exact(embedding, short)
        place_en_m = self._en_m(short)
        score = cosine.astype(np.float64) / self._temperature
        if prior is not None:
            score += _log_prior(place_en_m, prior, footprint_m)
        chosen: list[int] = []
        for row in np.argsort(-score, kind="stable"):
            apart = np.abs(place_en_m[chosen] - place_en_m[row]).max(axis=1)
            if (apart >= footprint_m / 2).all():
                chosen.append(int(row))
                if len(chosen) == most:
                    break
        centre = self._cache.centre[short[chosen]].tolist()
        return [
            Candidate(LatLon(*place), float(score[i]), float(cosine[i]))
            for i, place in zip(chosen, centre, strict=True)
        ]

    def _en_m(self, rows: NDArray[np.int64]) -> FloatArray:  # (M, 2)
        """Where the centres of rows lie, about the retriever's frame."""
        per_lon_m, per_lat_m = self._frame.metres_per_degree()
        lat, lon = self._cache.centre[rows].T
        d_lon = short_way_deg(lon - self._frame.origin.lon)
        return np.column_stack([d_lon * per_lon_m, (lat - self._frame.origin.lat) * per_lat_m])


def _log_prior(
    place_en_m: FloatArray,  # (N, 2)
    prior: Prior,
    footprint_m: float,
) -> FloatArray:  # (N,)
    """Gaussian, as wide again as a tile is coarse, with a floor so that a wrong belief can be left."""
    away = place_en_m - prior.mean_en_m
    distance2: FloatArray = np.einsum("ni,ij,nj->n", away, np.linalg.inv(_widened(prior, footprint_m)), away)
    return np.maximum(-distance2 / 2, _OUTLIER_LOG)


def _widened(prior: Prior, footprint_m: float) -> FloatArray:
    """(2, 2): a tile says no more than its footprint."""
    return prior.cov_m2 + np.eye(2) * (footprint_m / 4) ** 2
