"""Numbers that come back from a kept state: of their shape, no larger than a flight's, covariances that are ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.types import FloatArray

_LARGEST = 1e16  # microseconds since 1970 are a fifth of it
_ROUNDED = 1e-9  # of the largest value: what arithmetic may have left of an asymmetry, or below zero


def check_bounded(values: Any) -> None:
    """Raise ValueError where a number in lists and tables of them is none, or beyond all that a flight has."""
    if isinstance(values, (dict, list)):
        for one in values.values() if isinstance(values, dict) else values:
            check_bounded(one)
    elif isinstance(values, (int, float)) and not abs(values) <= _LARGEST:
        raise ValueError("a number beyond all that a flight has")


def covariance(values: Any, side: int) -> FloatArray:  # (side, side)
    """Read the covariance of a distribution; raises TypeError or ValueError."""
    cov = np.array(values, np.float64).reshape(side, side)
    if not (np.isfinite(cov).all() and np.abs(cov - cov.T).max() <= _ROUNDED * np.abs(cov).max()):
        raise ValueError("a covariance that is none")
    eigenvalues = np.linalg.eigvalsh(cov)
    if not eigenvalues[0] >= -_ROUNDED * eigenvalues[-1]:
        raise ValueError(f"a covariance with an eigenvalue of {eigenvalues[0]}")
    return cov
