"""Pictures to compare graphs on where there is no data: seeded land-like texture, no file, no network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def land_like(
    count: int, height_px: int, width_px: int, seed: int = 0
) -> NDArray[np.uint8]:  # (count, height_px, width_px, 3) RGB
    """Draw random ground: coloured noise of every scale (amplitude ~ wavelength, as in nature) under blocks and roads.

    Flat or white-noise pictures would leave most of a network's activations at rest, and prove nothing.
    """
    rng = np.random.default_rng((seed, height_px, width_px))
    return np.stack([_land(rng, height_px, width_px) for _ in range(count)])


def _land(rng: np.random.Generator, height_px: int, width_px: int) -> NDArray[np.uint8]:  # (height_px, width_px, 3)
    ground = np.full((height_px, width_px, 3), rng.uniform(70, 150, 3))
    cells = 2
    while cells < max(height_px, width_px):
        coarse = rng.normal(0, 45 / np.sqrt(cells), (cells, cells, 3))
        ground += cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
        cells *= 2
    for _ in range(rng.integers(6, 20)):
        at = rng.uniform(0, 1, 2) * (width_px, height_px)
        size = rng.uniform(0.04, 0.25, 2) * min(height_px, width_px)
        corners = cv2.boxPoints((tuple(at), tuple(size), rng.uniform(0, 90)))
        cv2.fillPoly(ground, [corners.astype(np.int32)], tuple(rng.uniform(20, 235, 3)))
    for _ in range(rng.integers(1, 4)):
        ends = (rng.uniform(0, 1, (2, 2)) * (width_px, height_px)).astype(np.int32)
        cv2.polylines(ground, [ends], False, (rng.uniform(90, 200),) * 3, max(2, width_px // 40))
    return np.clip(ground + rng.normal(0, 4, ground.shape), 0, 255).astype(np.uint8)
