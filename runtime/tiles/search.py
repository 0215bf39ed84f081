"""Nearest rows of a cache: plain numpy, exact, in blocks. The reference for every faster kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.tiles.cache import TileCache

_BLOCK_ROWS = 16384


def similarities(
    cache: TileCache,
    query: NDArray[np.float32],  # (Q, D) unit-norm
    rows: slice,
) -> NDArray[np.float32]:  # (Q, rows)
    """Cosine of each query with each row of a slice of the cache."""
    start, stop, _ = rows.indices(len(cache.embedding))
    found = np.empty((len(query), stop - start), np.float32)
    for first in range(start, stop, _BLOCK_ROWS):
        block = slice(first, min(first + _BLOCK_ROWS, stop))
        found[:, block.start - start : block.stop - start] = query @ cache.embedding[block].astype(np.float32).T
        found[:, block.start - start : block.stop - start] *= cache.scale[block]
    return found


def level_rows(cache: TileCache, level: int) -> slice:
    """The rows of one level; they lie together."""
    first, last = np.searchsorted(cache.level, [level, level + 1])
    return slice(int(first), int(last))
