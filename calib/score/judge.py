"""How good probabilities are, judged on frames that the fit has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.score.fit import fit, nll, place_probability
from calib.score.queries import Query
from runtime.model.score_map import ScoreMap
from runtime.types import FloatArray

BINS = 10
LEAST_TO_FIT = 15  # frames: a flight is held out only where the others have as many
_BLOCKS = 8
_Z90 = 1.645


@dataclass(frozen=True, slots=True)
class JudgedSummary:
    """Means over frames."""

    nll: float  # nats
    ece: float  # expected calibration error of places
    mean_probability: float  # of places
    right: float  # share of places


@dataclass(frozen=True, slots=True)
class JudgedFrames:
    """The probabilities that frames were given, and what was so."""

    nll: FloatArray  # (F,) of the right tile, nats
    probability: FloatArray  # (F,) of the best tile's place
    right: NDArray[np.bool_]  # (F,) is the truth in that place?

    def summary(self) -> JudgedSummary:
        """Return the means over the frames, to four places."""
        return JudgedSummary(
            nll=round(float(self.nll.mean()), 4),
            ece=round(calibration_error(self.probability, self.right), 4),
            mean_probability=round(float(self.probability.mean()), 4),
            right=round(float(self.right.mean()), 4),
        )


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The frames whose place had much the same probability."""

    low: float
    high: float
    count: int
    mean_probability: float
    right: float  # share

    def interval(self) -> tuple[float, float]:
        """Return what the share may be with so few frames, 90% (Wilson 1927)."""
        n, z2 = self.count, _Z90**2
        middle = (self.right + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z90 / (1 + z2 / n) * np.sqrt(self.right * (1 - self.right) / n + z2 / (4 * n * n))
        return float(middle - half), float(middle + half)


def judge(score: ScoreMap, queries: Sequence[Query]) -> JudgedFrames:
    """Judge one score map on frames."""
    right = np.array([query.place_is_right for query in queries])
    return JudgedFrames(nll(score, queries), place_probability(score, queries), right)


def judge_held_out(flights: Sequence[Sequence[Query]]) -> tuple[JudgedFrames, str]:
    """Judge every frame by a fit to others, in the order of the flights; and in words which others."""
    queries = [query for flight in flights for query in flight]
    part, how = split([len(flight) for flight in flights])
    parts = []
    for held_out in np.unique(part):
        score = fit([query for query, other in zip(queries, part, strict=True) if other != held_out])
        unseen = [query for query, other in zip(queries, part, strict=True) if other == held_out]
        parts.append(judge(score, unseen))
    order = np.argsort(np.argsort(part, kind="stable"), kind="stable")
    together = (
        np.concatenate([getattr(judged, name) for judged in parts])[order] for name in ("nll", "probability", "right")
    )
    return JudgedFrames(*together), how


def split(frames: Sequence[int]) -> tuple[NDArray[np.int64], str]:
    """Return the part of each frame, and how they were parted: by flight where the others always suffice for a fit."""
    flown = [count for count in frames if count]
    total = sum(flown)
    if len(flown) > 1 and total - max(flown) >= LEAST_TO_FIT:
        return np.repeat(np.arange(len(frames)), frames), "each flight by a fit to the others"
    blocks = np.arange(total) * _BLOCKS // total % 2
    return blocks, "alternate blocks of frames, which overlap at their ends: no other flight was held out"


def reliability(probability: FloatArray, right: NDArray[np.bool_], bins: int = BINS) -> list[ReliabilityBin]:
    """Sort frames into bins of equal width; bins without a frame are left out."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return [
        ReliabilityBin(
            b / bins, (b + 1) / bins, int(here.sum()), float(probability[here].mean()), float(right[here].mean())
        )
        for b in range(bins)
        if (here := place == b).any()
    ]


def calibration_error(probability: FloatArray, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Return the expected calibration error: Naeini et al., AAAI 2015; Guo et al. 2017, eq. 3."""
    gaps = [b.count * abs(b.mean_probability - b.right) for b in reliability(probability, right, bins)]
    return float(sum(gaps)) / len(probability)
