"""Queries: the similarities of a frame to every tile of its level, and which of them is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.errors import DataError
from runtime.flights.flight import Flight
from runtime.flights.truth import Truth
from runtime.frame import Frame
from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import LatLon
from runtime.locate.ground_view import GroundView, ground_views, unusable
from runtime.locate.mount import MountEstimate
from runtime.locate.retrieve import Retriever
from runtime.model.engine import Engine
from runtime.tiles.cache import TileCache
from runtime.tiles.search import similarities
from runtime.types import FloatArray

_KEPT, _GROUPS = 4096, 256  # tiles as they are, and groups of the rest: a map of a million is some 30 kB a frame


@dataclass(frozen=True, slots=True)
class Query:
    """A frame against the N tiles of a level.

    A tile stands for the ground nearer to its centre than to another's, so one tile is right. A place is the tiles
    within half a footprint of the best one: what the localizer takes for one candidate.
    """

    similarity: FloatArray  # (K,) cosines, highest first; those of a tail are means of groups
    tiles: FloatArray  # (K,) how many tiles each stands for, N in all
    right: float  # similarity of the right tile
    place: FloatArray  # (M,) similarities of the best tile's place
    place_is_right: bool
    elsewhere: float  # the highest similarity further than half a footprint from the truth, -1 where there is none

    @property
    def count(self) -> float:
        """The number of tiles, N."""
        return float(self.tiles.sum())


@dataclass(slots=True)
class GatheredQueries:
    """The queries of a flight, and why other frames gave none."""

    frames: int
    queries: list[Query] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def gather(
    flight: Flight, truth: dict[int, Truth], cache: TileCache, engine: Engine, tick: Callable[[], None]
) -> GatheredQueries:
    """Search every frame in the whole cache, without a prior; raises CacheEngineError or FlightError.

    The truth is read to know which tile is right, as the scorer of a replay reads it; nothing that flies does.
    """
    retriever = Retriever(cache, engine)
    gathered = GatheredQueries(len(flight.images))
    for frame in flight.frames():
        query = _query(frame, flight, truth.get(frame.t_us), cache, retriever)
        if isinstance(query, Query):
            gathered.queries.append(query)
        else:
            gathered.left_out[query] = gathered.left_out.get(query, 0) + 1
        tick()
    return gathered


def _query(frame: Frame, flight: Flight, truth: Truth | None, cache: TileCache, retriever: Retriever) -> Query | str:
    """Return the query of a frame, or why there is none."""
    if truth is None or truth.ground is None:
        return "no true_ground_lat and true_ground_lon"
    if (reason := _unusable(frame, flight, truth)) is not None:
        return reason
    at_hand = ground_views(frame, flight.camera, MountEstimate())
    level = retriever.level_for(at_hand[0], at_hand[0].axis_en_m) if at_hand else None
    if level is None:
        return "no_ground_seen"
    similarity = _search(at_hand[0], level, cache, retriever)
    away_m = _away_m(cache, level, truth.ground)
    facts = cache.metadata.levels[level]
    footprint_m, stride_m = float(facts.footprint_m), float(facts.stride_m)
    if not float(np.abs(away_m).max(axis=1).min()) <= stride_m:
        return "not on the map"
    return judged(similarity, away_m, footprint_m)


def _unusable(frame: Frame, flight: Flight, truth: Truth) -> str | None:
    """Say why a frame gives no query, or return None."""
    if not truth.verified:
        return "truth not verified"
    if np.isnan(frame.telemetry.cam_yaw_deg):
        return "no cam_yaw_deg"  # eight supposed headings are eight searches, and one of them is right
    return unusable(frame, flight.camera)


def _search(seen: GroundView, level: int, cache: TileCache, retriever: Retriever) -> FloatArray:
    """Return the similarity of a frame to each tile of a level, (N,)."""
    embedding = retriever.embed([(seen, seen.axis_en_m, level)])
    return np.asarray(similarities(cache, embedding, cache.metadata.level_rows(level))[0], np.float64)


def _away_m(cache: TileCache, level: int, ground: LatLon) -> FloatArray:
    """Return the metres east and north from the truth to each tile, (N, 2)."""
    lat, lon = cache.centre[cache.metadata.level_rows(level)].T
    off = np.column_stack([short_way_deg(lon - ground.lon), lat - ground.lat])
    return np.asarray(off * LocalFrame(ground).metres_per_degree(), np.float64)


def judged(
    similarity: FloatArray,  # (N,)
    away_m: FloatArray,  # (N, 2) from the truth to each tile
    footprint_m: float,
) -> Query:
    """Return the query that these similarities make: which tile and which place are right."""
    right, best = int(np.hypot(*away_m.T).argmin()), int(similarity.argmax())
    in_place = _same_place(away_m, away_m[best], footprint_m)
    other = similarity[~_same_place(away_m, np.zeros(2), footprint_m)]
    return Query(
        *condensed(similarity),
        right=float(similarity[right]),
        place=similarity[in_place],
        place_is_right=bool(in_place[right]),
        elsewhere=float(other.max(initial=-1.0)),
    )


def _same_place(away_m: FloatArray, middle_m: FloatArray, footprint_m: float) -> NDArray[np.bool_]:
    """Tell, (N,), which tiles lie within half a footprint on both axes, as the retriever gathers tiles into places."""
    return np.asarray(np.abs(away_m - middle_m).max(axis=1) < footprint_m / 2)


def condensed(
    similarity: FloatArray,  # (N,)
    kept: int = _KEPT,
    groups: int = _GROUPS,
) -> tuple[FloatArray, FloatArray]:
    """Keep the best as they are, the tail in groups of neighbours in rank: (K,) means and how many tiles each has.

    The logarithm of a group's sum of exp(s / T) is short by at most (spread / T)^2 / 8 (Hoeffding's lemma).
    """
    ordered = np.sort(similarity)[::-1]
    parts: Sequence[FloatArray] = [part for part in np.array_split(ordered[kept:], groups) if len(part)]
    head = ordered[:kept]
    means, counts = [part.mean() for part in parts], [float(len(part)) for part in parts]
    return np.concatenate([head, means]), np.concatenate([np.ones(len(head)), counts])


def check_enough(gathered: Sequence[GatheredQueries], least: int) -> None:
    """Raise DataError: how many frames can be used, how many are needed, and why the others cannot."""
    used, frames = (
        sum(len(of_flight.queries) for of_flight in gathered),
        sum(of_flight.frames for of_flight in gathered),
    )
    if used >= least:
        return
    reasons: dict[str, int] = {}
    for of_flight in gathered:
        for reason, count in of_flight.left_out.items():
            reasons[reason] = reasons.get(reason, 0) + count
    why = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1]))
    raise DataError(
        f"{used} of {frames} frames can be used{f' ({why})' if why else ''}, {least} are needed; give more flights, "
        "each with the --tiles of its place, or fill in telemetry.csv and truth.csv (docs/formats.md)"
    )
