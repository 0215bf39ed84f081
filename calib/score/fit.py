"""A temperature and an outlier share by maximum likelihood.

p(tile) = (1 - e) softmax(s / T) + e / N: a frame's similarities either say where it is, or nothing. For a given T the
likelihood is concave in e, so e is found by bisection; T by a search over all of its range, for it has no such promise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.score.queries import Query
from runtime.model.score_map import ScoreMap
from runtime.types import FloatArray

COLDEST, WARMEST = 1e-3, 1.0
_GRID, _REFINED = 49, 16
_GOLDEN = (5**0.5 - 1) / 2


def tile_probability(score: ScoreMap, queries: Sequence[Query]) -> FloatArray:  # (F,)
    """Return the probability of the right tile of each frame."""
    softmax, chance = _softmax(score.temperature, queries), _chance(queries)
    return (1 - score.outlier_share) * softmax + score.outlier_share * chance


def place_probability(score: ScoreMap, queries: Sequence[Query]) -> FloatArray:  # (F,)
    """Return the probability of the best tile's place in each frame."""
    softmax = np.array(
        [np.exp(query.place / score.temperature - _log_sum(query, score.temperature)).sum() for query in queries]
    )
    chance = np.array([len(query.place) for query in queries]) * _chance(queries)
    return np.asarray((1 - score.outlier_share) * softmax + score.outlier_share * chance)


def nll(score: ScoreMap, queries: Sequence[Query]) -> FloatArray:  # (F,)
    """Return the negative log-likelihood of the right tiles, nats."""
    with np.errstate(divide="ignore"):  # without outliers a tile may be as unlikely as a float can say
        return np.asarray(-np.log(tile_probability(score, queries)))


def fit(queries: Sequence[Query]) -> ScoreMap:
    """Fit the most likely temperature within 0.001 .. 1 and outlier share.

    F frames without an outlier do not show that there is none: the share is at least 1 / (F + 2) (Laplace's rule).
    """
    chance = _chance(queries)

    def best(log_t: float) -> tuple[float, ScoreMap]:
        temperature = float(np.exp(log_t))
        softmax = _softmax(temperature, queries)
        share = outlier_share(softmax, chance)
        return float(-np.log((1 - share) * softmax + share * chance).mean()), ScoreMap(temperature, share)

    grid = np.linspace(np.log(COLDEST), np.log(WARMEST), _GRID)
    lowest = int(np.argmin([best(log_t)[0] for log_t in grid]))
    low, high = float(grid[max(lowest - 1, 0)]), float(grid[min(lowest + 1, _GRID - 1)])
    for _ in range(_REFINED):  # golden-section search
        a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, b) if best(a)[0] <= best(b)[0] else (a, high)
    return best((low + high) / 2)[1]


def outlier_share(
    softmax: FloatArray,  # (F,) of the right tile
    chance: FloatArray,  # (F,)
) -> float:
    """Return the most likely e of prod((1 - e) softmax + e chance), within 1 / (F + 2) of 0 and 1."""
    low = 1 / (len(softmax) + 2)
    high = 1 - low
    for _ in range(40):
        middle = (low + high) / 2
        slope = ((chance - softmax) / ((1 - middle) * softmax + middle * chance)).sum()
        low, high = (middle, high) if slope > 0 else (low, middle)
    return (low + high) / 2


def _softmax(temperature: float, queries: Sequence[Query]) -> FloatArray:  # (F,)
    """Return softmax(s / T) of the right tile of each frame."""
    return np.array([np.exp(query.right / temperature - _log_sum(query, temperature)) for query in queries])


def _chance(queries: Sequence[Query]) -> FloatArray:  # (F,)
    """Return the probability of a tile that is drawn by chance, 1 / N."""
    return np.array([1 / query.count for query in queries])


def _log_sum(query: Query, temperature: float) -> float:
    """Return log(sum(exp(s / T))) over all tiles."""
    top = query.similarity[0]
    return float(top / temperature + np.log(query.tiles @ np.exp((query.similarity - top) / temperature)))
