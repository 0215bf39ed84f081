"""Queries that are drawn from a known score map."""

from __future__ import annotations

import numpy as np

from calib.score.queries import Query, judged
from runtime.model.score_map import ScoreMap

FOOTPRINT_M, STRIDE_M = 40.0, 10.0


def drawn(true: ScoreMap, frames: int, rng: np.random.Generator, side: int = 12) -> list[Query]:
    """Frames over a square of tiles whose right tile is drawn from the model itself."""
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2) * STRIDE_M
    queries = []
    for _ in range(frames):
        similarity = rng.normal(0.3, 0.1, len(grid))
        p = np.exp(similarity / true.temperature)
        outlier = rng.random() < true.outlier_share
        right = rng.integers(len(grid)) if outlier else rng.choice(len(grid), p=p / p.sum())
        queries.append(judged(similarity, grid - grid[right], FOOTPRINT_M))
    return queries
