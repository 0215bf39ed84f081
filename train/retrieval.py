"""Retrieval metrics as the public benchmarks define them, with a rule for ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TIE = 6  # similarities that agree to so many decimals are tied


@dataclass(frozen=True)
class Scores:
    """Shares in 0..1 over all queries."""

    r1: float
    r5: float
    r10: float
    r1_percent: float  # public code reads place round(N / 100) of the 0-based curve: R@11 for 951
    ap: float
    queries: int
    gallery: int


def score(
    query: NDArray[np.float32],  # (Q, D) unit-norm
    gallery: NDArray[np.float32],  # (G, D) unit-norm
    query_places: NDArray[np.int64],  # (Q,)
    gallery_places: NDArray[np.int64],  # (G,)
) -> Scores:
    """Rank the gallery for each query by cosine.

    A wrong item ties ahead of a right one, so that an encoder that maps everything to one point scores nothing. A
    query without a positive scores 0 and counts.
    """
    first, ap = np.full(len(query), np.inf), np.zeros(len(query))
    for i in range(len(query)):
        hits = hit_ranks(gallery @ query[i], gallery_places == query_places[i])
        if len(hits):
            first[i], ap[i] = hits[0], average_precision(hits)
    percent = round(0.01 * len(gallery)) + 1
    r1, r5, r10, r1_percent = (float((first < k).mean()) for k in (1, 5, 10, percent))
    return Scores(r1, r5, r10, r1_percent, float(ap.mean()), len(query), len(gallery))


def hit_ranks(
    similarity: NDArray[np.float32],  # (G,)
    positive: NDArray[np.bool_],  # (G,)
) -> NDArray[np.int64]:
    """0-based ranks of the positives, ascending; NaN ranks last."""
    falling = -np.round(np.nan_to_num(similarity.astype(np.float64), nan=-np.inf), _TIE)
    order = np.lexsort((positive, falling))  # among equals, False (wrong) before True (right)
    return np.asarray(np.flatnonzero(positive[order]), np.int64)


def average_precision(hits: NDArray[np.int64]) -> float:
    """Trapezoidal AP of 0-based ``hits``: one positive at rank 0 gives 1, else 1 / (2 (rank + 1))."""
    if not len(hits):
        return 0.0
    i = np.arange(len(hits))
    before = np.where(hits > 0, i / np.maximum(hits, 1), 1.0)
    return float(((i + 1) / (hits + 1) + before).mean() / 2)
