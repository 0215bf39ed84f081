"""Two graphs, the same pictures: how far apart are their outputs, and is that near enough?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.errors import GateError


def check_parity(
    want: NDArray[np.float32],  # (N, D) unit-norm
    got: NDArray[np.float32],  # (N, D) unit-norm
    *,
    what: str,
    min_cosine: float,
) -> float:
    """Worst row cosine of two embeddings of the same pictures; raises GateError under ``min_cosine``."""
    _check_shape(want, got, what)
    cosine = (want * got).sum(axis=1)
    worst = int(cosine.argmin())
    if not cosine[worst] >= min_cosine:  # not >=, so that NaN fails too
        raise GateError(f"{what}: picture {worst} has cosine {cosine[worst]:.6f}, needs {min_cosine}")
    return float(cosine[worst])


def check_close(
    want: NDArray[np.float32],
    got: NDArray[np.float32],  # the shape of want
    *,
    what: str,
    max_error: float,
) -> float:
    """Largest absolute difference; raises GateError over ``max_error``."""
    _check_shape(want, got, what)
    error = float(np.abs(want - got).max())
    if not error <= max_error:
        raise GateError(f"{what}: differs by up to {error:.2e}, allowed {max_error:.0e}")
    return error


def _check_shape(want: NDArray[np.float32], got: NDArray[np.float32], what: str) -> None:
    if want.shape != got.shape:
        raise GateError(f"{what}: shape {got.shape}, expected {want.shape}")
