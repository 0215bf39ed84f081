"""Where on the map to look closely: about the place that is believed, or wherever the map looks like the frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runtime.geo.local import LocalFrame
from runtime.locate.belief_limits import POSTERIOR
from runtime.locate.domain import DomainMean
from runtime.locate.ground_view import GroundView
from runtime.locate.limits import RETRIEVAL
from runtime.locate.posterior import Evidence, Posterior
from runtime.locate.retrieve import Candidate, Likeness, Look, Retriever
from runtime.locate.stages import Stages
from runtime.locate.track import Track
from runtime.model.score_map import ScoreMap
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class TileView:
    """What one of a frame's ground views sees about its axis, as a tile of a level."""

    index: int  # of the view
    view: GroundView
    level: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a search of all the map says of a frame: where to look closely, and how likely each place is."""

    candidates: list[Candidate]  # the best first
    odds: float  # of the first over any place elsewhere, by the encoder alone
    evidence: Evidence
    likeness: Likeness


class Finder:
    """Asks retrieval what a frame looks like, and chooses candidates."""

    def __init__(self, retriever: Retriever, score_map: ScoreMap, stages: Stages) -> None:
        self._retriever, self._stages = retriever, stages
        self._outlier_share = max(score_map.outlier_share, POSTERIOR.min_outlier_share)

    def grounds(self, views: Sequence[GroundView]) -> list[TileView]:
        """Choose the level on which what each ground view sees about its axis is compared with the map.

        A view that sees too little of a tile is left out. Headings are compared on one level, that all of them see.
        """
        levels = [(i, self._retriever.level_for(view, view.axis_en_m)) for i, view in enumerate(views)]
        seen = [(i, level) for i, level in levels if level is not None]
        common = min((level for _, level in seen), default=0)
        return [TileView(i, views[i], common) for i, _ in seen]

    def looks(self, grounds: Sequence[TileView], domain: DomainMean) -> list[Look]:
        """Embed grounds as tiles; ``domain`` is what the flight's frames have in common."""
        with self._stages.timed("embed"):
            embeddings = self._retriever.embed([(one.view, one.view.axis_en_m, one.level) for one in grounds])
        return [
            Look(one.index, one.level, one.view.axis_en_m, embedding, query)
            for one, embedding, query in zip(grounds, embeddings, domain.taken_out(embeddings), strict=True)
        ]

    def at(self, frame: LocalFrame, ground: TileView, track: Track) -> Candidate:
        """Name the tile that a drone where a track says it is looks at."""
        east_m, north_m = (track.position_en_m + ground.view.axis_en_m).tolist()
        place = frame.to_latlon(east_m, north_m)
        return Candidate(ground.index, place, self._retriever.footprint_m(ground.level), math.inf)

    def near(
        self, frame: LocalFrame, grounds: Sequence[TileView], track: Track, looks: Sequence[Look]
    ) -> list[Candidate]:
        """Look about a track: at the place it says first, under the headings that its surroundings look like most.

        ``looks`` are of the same grounds.
        """
        with self._stages.timed("search"):
            footprint_m = self._retriever.footprint_m(looks[0].level)
            reach_m = RETRIEVAL.reach_sigmas * track.sigma_m + footprint_m
            like = self._retriever.near(frame, looks, track.position_en_m, reach_m)
        if like is None:
            return [self.at(frame, grounds[0], track)]
        away_m = np.linalg.norm(like.drone_en_m - track.position_en_m, axis=1)
        prior = -0.5 * away_m**2 / (track.sigma_m**2 + (footprint_m / 4) ** 2)
        order = np.argsort(-(np.log(like.probability + 1e-12) + prior), kind="stable")
        headings = list(dict.fromkeys(int(like.view[i]) for i in order))
        by_index = {one.index: one for one in grounds}
        first = [self.at(frame, by_index[index], track) for index in headings[: RETRIEVAL.candidates_tracking]]
        return [*first, *_candidates(frame, like, order.tolist())][: RETRIEVAL.candidates_tracking]

    def anywhere(
        self, frame: LocalFrame, looks: Sequence[Look], posterior: Posterior, *, t_us: int, axis_variance_m2: float
    ) -> Found:
        """Search all of the map; candidates are the likest places, inside what is believed already.

        ``axis_variance_m2`` is that of the ground at the picture's centre, as seen from the drone.
        """
        with self._stages.timed("search"):
            like = self._retriever.anywhere(frame, looks)
            tile_m = POSTERIOR.tile_share * like.footprint_m
            variance = axis_variance_m2 + tile_m**2 + like.stride_m**2 / 12
            seen = Evidence(t_us, like.drone_en_m, like.probability, np.eye(2) * variance, self._outlier_share)
            score = np.log(like.probability + 1e-12) + np.log(posterior.density(seen))
            order = np.argsort(-score, kind="stable")[: RETRIEVAL.candidates_lost]
            odds = like.odds(like.drone_en_m[order[0]])
            return Found(_candidates(frame, like, order.tolist(), score), odds, seen, like)


def _candidates(
    frame: LocalFrame, like: Likeness, chosen: Sequence[int], score: FloatArray | None = None
) -> list[Candidate]:
    return [
        Candidate(
            int(like.view[i]),
            frame.to_latlon(*like.tile_en_m[i].tolist()),
            like.footprint_m,
            0.0 if score is None else float(score[i]),
        )
        for i in chosen
    ]
