"""Which tiles of the cache look like the frame? Embed its ground patch and search: all of the map, or a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View, rectify, seen_share
from runtime.locate.limits import RETRIEVAL
from runtime.model.engine import Engine
from runtime.model.preprocess import encoder_input
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache
from runtime.tiles.nearby import NearbyRows
from runtime.tiles.search import Searcher, highest
from runtime.types import FloatArray

UNFITTED = ScoreMap(RETRIEVAL.unfitted_temperature, outlier_share=0.0)  # of a bundle that ``calib.score`` has not seen


@dataclass(frozen=True, slots=True)
class Look:
    """Ground of one ground view, embedded as a tile of a level."""

    view: int  # which of the frame's ground views
    level: int
    axis_en_m: tuple[float, float]  # from the drone to the ground that was embedded
    embedding: NDArray[np.float32]  # (D,)
    query: NDArray[np.float32]  # (D,) what is searched for: the same less what all frames have in common


@dataclass(frozen=True, slots=True)
class Likeness:
    """Places that a frame looks like, the likest first; tiles nearer than half a footprint are one place."""

    tile_en_m: FloatArray  # (K, 2) about the frame that was asked for
    drone_en_m: FloatArray  # (K, 2) where the drone is if it sees this tile
    probability: FloatArray  # (K,) if the frame shows any tile at all
    view: NDArray[np.int64]  # (K,)
    footprint_m: float
    stride_m: float
    best_cosine: float  # of the frame as it is

    def odds(self, drone_en_m: FloatArray) -> float:
        """Return how much likelier the frame shows a place (2,) of the drone than the likest place elsewhere."""
        here = np.linalg.norm(self.drone_en_m - drone_en_m, axis=1) <= self.footprint_m / 2
        best, other = (float(self.probability[one].max(initial=0.0)) for one in (here, ~here))
        return best / max(other, 1e-12)


class _Scanned(NamedTuple):
    rows: NDArray[np.int64]  # (M,) of the cache
    logit: FloatArray  # (M,)
    looked: NDArray[np.int64]  # (M,) which look
    log_total: float  # of all tiles and looks


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tile that may show what a ground view shows."""

    view: int  # which of the frame's ground views
    place: LatLon
    footprint_m: float
    log_probability: float  # up to a constant, with what is believed in it


class Retriever:
    """Searches one cache with one engine."""

    def __init__(self, cache: TileCache, engine: Engine, score_map: ScoreMap = UNFITTED, threads: int = 0) -> None:
        """Raises CacheEngineError when the cache is another model's."""
        cache.check_engine(engine)
        self._cache, self._engine, self._temperature = cache, engine, score_map.temperature
        self._searcher, self._nearby = Searcher(cache, threads), NearbyRows(cache)
        self._rows = [cache.metadata.level_rows(level) for level in range(len(cache.footprints_m))]

    def footprint_m(self, level: int) -> float:
        """Return the side of a level's tiles."""
        return float(self._cache.footprints_m[level])

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

    def anywhere(self, frame: LocalFrame, looks: Sequence[Look]) -> Likeness:
        """Search all of the map under every supposed heading: p = softmax(s / T) over all tiles and headings."""
        rows, logits, looked, peak, total, best_cosine = [], [], [], -np.inf, 0.0, -1.0
        for k, look in enumerate(looks):
            level = self._rows[look.level]
            logit = self._searcher.scan(look.query[None], level)[0] / np.float32(self._temperature)
            highest_here = float(logit.max())
            total *= float(np.exp(min(peak - highest_here, 0.0)))
            peak = max(peak, highest_here)
            total += float(np.exp(logit - np.float32(peak)).sum(dtype=np.float64))
            short = np.sort(highest(logit, RETRIEVAL.shortlist_rows)) + level.start
            rows.append(short)
            logits.append(self._searcher.exact(look.query, short).astype(np.float64) / self._temperature)
            best_cosine = max(best_cosine, float(self._searcher.exact(look.embedding, short).max()))
            looked.append(np.full(len(short), k))
        log_total = peak + float(np.log(total))
        found = _Scanned(np.concatenate(rows), np.concatenate(logits), np.concatenate(looked), log_total)
        return self._likeness(frame, looks, found, best_cosine)

    def near(
        self,
        frame: LocalFrame,
        looks: Sequence[Look],
        drone_en_m: FloatArray,  # (2,)
        reach_m: float,
    ) -> Likeness | None:
        """Search the tiles that a drone within ``reach_m`` of a place may see; None where the map has none."""
        rows, logits, looked, best_cosine = [], [], [], -1.0
        for k, look in enumerate(looks):
            near = self._nearby.rows(look.level, frame.to_latlon(*(drone_en_m + look.axis_en_m).tolist()), reach_m)
            if len(near):
                rows.append(near)
                best_cosine = max(best_cosine, float(self._searcher.exact(look.embedding, near).max()))
                logits.append(self._searcher.exact(look.query, near).astype(np.float64) / self._temperature)
                looked.append(np.full(len(near), k))
        if not rows:
            return None
        logit = np.concatenate(logits)
        log_total = float(logit.max() + np.log(np.exp(logit - logit.max()).sum()))
        found = _Scanned(np.concatenate(rows), logit, np.concatenate(looked), log_total)
        return self._likeness(frame, looks, found, best_cosine)

    def _likeness(self, frame: LocalFrame, looks: Sequence[Look], found: _Scanned, best_cosine: float) -> Likeness:
        """Gather tiles into places, the likest first."""
        rows, logit, looked, log_total = found
        facts = self._cache.metadata.levels[looks[0].level]
        tile_en_m = self._en_m(frame, rows)
        axis_en_m = np.array([look.axis_en_m for look in looks])[looked]
        drone_en_m, share = tile_en_m - axis_en_m, np.exp(np.minimum(logit - log_total, 0.0))
        left, chosen, probability = np.ones(len(rows), np.bool_), [], []
        order = np.argsort(-logit, kind="stable")
        for one in order:
            if not left[one]:
                continue
            near = left & (np.abs(drone_en_m - drone_en_m[one]).max(axis=1) < facts.footprint_m / 2)
            left &= ~near
            chosen.append(int(one))
            probability.append(float(share[near].sum()))
            if len(chosen) == RETRIEVAL.places:
                break
        return Likeness(
            tile_en_m[chosen],
            drone_en_m[chosen],
            np.array(probability) / max(sum(probability), 1.0),
            np.array([looks[k].view for k in looked[chosen]]),
            float(facts.footprint_m),
            float(facts.stride_m),
            best_cosine,
        )

    def _en_m(self, frame: LocalFrame, rows: NDArray[np.int64]) -> FloatArray:  # (M, 2)
        """Work out where the centres of rows lie."""
        self._cache.check_rows(rows, ("centre",))
        per_lon_m, per_lat_m = frame.metres_per_degree()
        lat, lon = self._cache.centre[rows].T
        d_lon = short_way_deg(lon - frame.origin.lon)
        return np.column_stack([d_lon * per_lon_m, (lat - frame.origin.lat) * per_lat_m])
