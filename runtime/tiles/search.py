"""How alike every row of a level is to a query: int8 against int8, at the memory's own speed, then exactly.

A frame needs the cosine of *every* row, for the grid of probabilities takes all of them in; so all are scanned, with
the query rounded to int8. What the rounding costs (some 0.002 of cosine) is undone on a shortlist, by the query as it
is. Kernel of the scan: numkong (SIMD dot products of int8 on x86-64 and aarch64). :func:`similarities` is the plain
numpy reference.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numkong
import numpy as np
from numpy.typing import NDArray

from runtime.tiles.cache import TileCache

_BLOCK_ROWS = 16384
_THREADED_ROWS = 65_536  # fewer are scanned faster by one thread
_SAMPLED_EVERY = 61  # values, to guess a threshold from


class Searcher:
    """Searches one cache; opens at once, whatever its size: nothing is read before it is asked for.

    In a cache that was opened lazily, rows are compared with their hashes before they are read: CacheError.
    """

    def __init__(self, cache: TileCache, threads: int = 0) -> None:
        """``threads`` 0: one a core."""
        self._cache = cache
        self._threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None

    def scan(
        self,
        queries: NDArray[np.float32],  # (Q, D) unit-norm
        rows: slice,
    ) -> NDArray[np.float32]:  # (Q, rows)
        """Return the cosine of each query with each row, to within the rounding of the query."""
        start, stop, _ = rows.indices(len(self._cache.embedding))
        rounded, step = _rounded(queries)
        held = self._cache.embedding[start:stop]
        cosine = np.empty((len(queries), stop - start), np.float32)

        def scan_part(first: int, last: int) -> None:
            self._cache.check_rows(slice(start + first, start + last), ("embedding", "scale"))
            for low in range(first, last, _BLOCK_ROWS):
                at = slice(low, min(low + _BLOCK_ROWS, last))
                cosine[:, at] = dots(rounded, held[at])
                cosine[:, at] *= self._cache.scale[start + at.start : start + at.stop]
            cosine[:, first:last] *= step

        parts = self._threads if stop - start >= _THREADED_ROWS else 1
        edges = [(stop - start) * i // parts for i in range(parts + 1)]
        list((map if self._pool is None else self._pool.map)(scan_part, edges[:-1], edges[1:]))
        return cosine

    def exact(
        self,
        query: NDArray[np.float32],  # (D,)
        rows: NDArray[np.int64],  # (M,)
    ) -> NDArray[np.float32]:  # (M,)
        """Return the cosine of some rows with the query as it is; the places of these rows are checked too."""
        self._cache.check_rows(rows)
        held = self._cache.embedding[rows].astype(np.float32)
        cosine: NDArray[np.float32] = (held @ query) * self._cache.scale[rows]
        return cosine


def dots(
    queries: NDArray[np.int8],  # (Q, D)
    rows: NDArray[np.int8],  # (N, D)
) -> NDArray[np.float64]:  # (Q, N)
    """Return the integer dot products, which float64 holds exactly."""
    if not len(rows):
        return np.empty((len(queries), 0))
    return np.asarray(numkong.cdist(queries, rows, "dot"))


def highest(
    values: NDArray[np.float32],  # (N,)
    count: int,
) -> NDArray[np.int64]:  # (count,)
    """Return the indices of the highest values, in no order.

    Sorting apart a million values takes as long as half their scan. A threshold guessed from a sample leaves some
    thousand, and that is thirty times faster; where the sample misleads, all are sorted apart after all.
    """
    if count >= len(values):
        return np.arange(len(values))
    sample = values[::_SAMPLED_EVERY]
    least = 2 + 3 * count // _SAMPLED_EVERY
    if len(sample) > 4 * least:
        above = np.flatnonzero(values >= np.partition(sample, -least)[-least])
        if len(above) >= count:
            return above[np.argpartition(values[above], -count)[-count:]]
    return np.argpartition(values, -count)[-count:]


def similarities(
    cache: TileCache,
    queries: NDArray[np.float32],  # (Q, D) unit-norm
    rows: slice,
) -> NDArray[np.float32]:  # (Q, rows)
    """Return the exact cosine of each query with each row of a slice: plain numpy, the reference for every kernel."""
    start, stop, _ = rows.indices(len(cache.embedding))
    cosine = np.empty((len(queries), stop - start), np.float32)
    for first in range(start, stop, _BLOCK_ROWS):
        block = slice(first, min(first + _BLOCK_ROWS, stop))
        cosine[:, block.start - start : block.stop - start] = queries @ cache.embedding[block].astype(np.float32).T
        cosine[:, block.start - start : block.stop - start] *= cache.scale[block]
    return cosine


def _rounded(
    queries: NDArray[np.float32],  # (Q, D)
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:  # (Q, D), (Q, 1)
    step = np.maximum(np.abs(queries).max(axis=1, keepdims=True), np.float32(1e-12)) / np.float32(127)
    return np.rint(queries / step).astype(np.int8), step
