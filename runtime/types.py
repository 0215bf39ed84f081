"""Aliases that every package shares: what an array holds, and what a callback is given.

They are strings at run time, so that a command's ``--help`` needs no numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Picture: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 3) RGB, unless a comment at the name says otherwise."""

Mask: TypeAlias = "NDArray[np.bool_]"
"""(H, W), True where there is something to see."""

FloatArray: TypeAlias = "NDArray[np.float64]"
"""Coordinates, matrices, covariances; the shape stands at the name."""

FloatImage: TypeAlias = "NDArray[np.float32]"
"""(H, W) or (H, W, C), a number a pixel."""

Embed: TypeAlias = "Callable[[NDArray[np.uint8]], NDArray[np.float32]]"
"""(B, S, S, 3) RGB to (B, D) unit-norm embeddings."""

Tick: TypeAlias = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

Say: TypeAlias = Callable[[str], None]
"""Called with one line for a person to read."""
