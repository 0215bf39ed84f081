"""A report whose figures are known."""

from __future__ import annotations

import numpy as np

from export.int8.gates import SetResult

MADE = SetResult("flight over area.mbtiles", "a" * 64, 1000, 500, 0.795, 0.80, 0.002, 21.0, 20.0, 0.01)


PLAIN = SetResult("changed pictures", "b" * 64, 512, 64, 0.99, 0.99, 0.0)


def embeddings(seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(12, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
