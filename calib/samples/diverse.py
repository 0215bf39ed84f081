"""Pictures that make a good calibration set: half by chance, half the ones least like those taken."""

from __future__ import annotations

import cv2
import numpy as np

from runtime.types import FloatArray, Picture

_SMALL_PX = 32


def statistics(
    picture: Picture,  # (S, S, 3)
) -> FloatArray:  # (11,)
    """Measure what decides how far activations reach: colour, its spread, contrast at three scales, extremes, flats."""
    small = cv2.resize(picture, (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA).astype(np.float64)
    grey = small.mean(axis=2)
    fine = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    contrast = [np.log1p(np.abs(np.diff(scale)).mean()) for scale in (fine, grey, grey[::4, ::4])]
    low, high = np.percentile(fine, (1, 99))
    flat = (np.abs(np.diff(fine)) == 0).mean()  # what was not seen is painted in one grey
    return np.array([*small.mean(axis=(0, 1)), *small.std(axis=(0, 1)), *contrast, high - low, flat])


def choose_diverse(
    features: FloatArray,  # (N, K)
    count: int,
    rng: np.random.Generator,
) -> list[int]:
    """Choose rows of a set that is both like the whole and covers its edges: half by chance, half farthest-first.

    Farthest-first alone (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985) would take mostly
    oddities, and chance alone misses rare ground. Features are brought to one scale first.
    """
    order = rng.permutation(len(features))
    if count >= len(features):
        return [int(i) for i in order]
    scaled = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)
    chosen = [int(i) for i in order[: (count + 1) // 2]]
    nearest = np.min([_distance(scaled, i) for i in chosen], axis=0)  # (N,) to what is chosen
    while len(chosen) < count:
        farthest = int(nearest.argmax())
        chosen.append(farthest)
        nearest = np.minimum(nearest, _distance(scaled, farthest))
        nearest[farthest] = -1.0
    return chosen


def _distance(
    rows: FloatArray,  # (N, K)
    i: int,
) -> FloatArray:  # (N,)
    """Return how far each row is from row ``i``, which itself counts as nearer than any."""
    distance = np.linalg.norm(rows - rows[i], axis=1)
    distance[i] = -1.0  # never chosen twice
    return np.asarray(distance, np.float64)
