"""Which tiles of the cache look like the frame? Embed its ground patch and search, inside what is believed already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.geo.camera import FloatArray
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View, rectify, seen_share
from runtime.model.engine import Engine
from runtime.model.preprocess import encoder_input
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache
from runtime.tiles.search import level_rows, similarities

WELL_SEEN, BARELY_SEEN = 0.8, 0.5  # shares of a patch
UNFITTED = ScoreMap(temperature=0.03, outlier_share=0.0)  # of a bundle that ``calib.score`` has not seen
_OUTLIER_LOG = -8.0  # a prior may be wrong: no tile is less likely than this for being far away


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

    def __init__(self, cache: TileCache, engine: Engine, frame: LocalFrame, score_map: ScoreMap = UNFITTED) -> None:
        """Raises CacheEngineError when the cache is another model's."""
        cache.check_engine(engine)
        self._cache, self._engine, self._temperature = cache, engine, score_map.temperature
        per_lon_m, per_lat_m = frame.metres_per_degree()
        origin = np.array([frame.origin.lon, frame.origin.lat])
        self._place_en_m = (cache.centre[:, ::-1] - origin) * (per_lon_m, per_lat_m)  # (N, 2)
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
        rows = self._rows[level]
        cosine = similarities(self._cache, embedding, rows)[0]
        place_en_m = self._place_en_m[rows]
        score = cosine.astype(np.float64) / self._temperature
        if prior is not None:
            score += _log_prior(place_en_m, prior, self._cache.footprints_m[level])
        chosen: list[int] = []
        for row in np.argsort(-score, kind="stable"):
            apart = np.abs(place_en_m[chosen] - place_en_m[row]).max(axis=1)
            if (apart >= self._cache.footprints_m[level] / 2).all():
                chosen.append(int(row))
                if len(chosen) == most:
                    break
        centre = self._cache.centre[rows]
        return [Candidate(LatLon(*centre[row].tolist()), float(score[row]), float(cosine[row])) for row in chosen]


def _log_prior(
    place_en_m: FloatArray,  # (N, 2)
    prior: Prior,
    footprint_m: float,
) -> FloatArray:  # (N,)
    """Gaussian, as wide again as a tile is coarse, with a floor so that a wrong belief can be left."""
    cov = prior.cov_m2 + np.eye(2) * (footprint_m / 4) ** 2
    away = place_en_m - prior.mean_en_m
    distance2: FloatArray = np.einsum("ni,ij,nj->n", away, np.linalg.inv(cov), away)
    return np.maximum(-distance2 / 2, _OUTLIER_LOG)
