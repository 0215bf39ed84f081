"""Nearest rows of a cache: int8 against int8 over all rows, then the exact cosine of the few best.

The stored rows are int8 already; the query is rounded to int8 for the scan, which reads the cache once at the memory's
own speed. What the rounding costs (some 0.002 of cosine) is undone on a shortlist, ranked by the float query.
Kernel: numkong (SIMD dot products of int8 on x86-64 and aarch64). :func:`similarities` is the plain numpy reference.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numkong
import numpy as np
from numpy.typing import NDArray

from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.tiles.cache import TileCache

_BLOCK_ROWS = 16384
_THREADED_ROWS = 65_536  # fewer are scanned faster by one thread
_SHORTLIST = 16  # times as many as are asked for, by the rounded query
_SAMPLED_EVERY = 61  # scores, to guess a threshold from
_NODE_ROWS = 256  # rows along the curve that share a bounding box


@dataclass(frozen=True, slots=True)
class Found:
    """The rows most like each query, best first; fewer than asked for where the cache holds fewer."""

    row: NDArray[np.int64]  # (Q, k)
    cosine: NDArray[np.float32]  # (Q, k)


class Searcher:
    """Searches one cache; opens at once, whatever its size: nothing is read before it is asked for."""

    def __init__(self, cache: TileCache, threads: int = 0) -> None:
        """``threads`` 0: one a core."""
        self._cache = cache
        self._threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None
        self._boxes: dict[tuple[int, int], NDArray[np.float64]] = {}

    def scan(
        self,
        queries: NDArray[np.float32],  # (Q, D) unit-norm
        rows: slice,
    ) -> NDArray[np.float32]:  # (Q, rows)
        """Cosines to within the rounding of the query."""
        start, stop, _ = rows.indices(len(self._cache.embedding))
        rounded, step = _rounded(queries)
        held = self._cache.embedding[start:stop]
        found = np.empty((len(queries), stop - start), np.float32)

        def part(first: int, last: int) -> None:
            for low in range(first, last, _BLOCK_ROWS):
                at = slice(low, min(low + _BLOCK_ROWS, last))
                found[:, at] = dots(rounded, held[at])
                found[:, at] *= self._cache.scale[start + at.start : start + at.stop]
            found[:, first:last] *= step

        if self._pool is None or stop - start < _THREADED_ROWS:
            part(0, stop - start)
        else:
            edges = np.linspace(0, stop - start, self._threads + 1).astype(int)
            list(self._pool.map(part, edges[:-1], edges[1:]))
        return found

    def top(
        self,
        queries: NDArray[np.float32],  # (Q, D) unit-norm: one a supposed heading
        k: int,
        rows: slice = slice(None),
    ) -> Found:
        """The ``k`` rows most like each query, with their exact cosines."""
        start, stop, _ = rows.indices(len(self._cache.embedding))
        k = min(k, stop - start)
        found = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        scanned = self.scan(queries, rows)
        for i, query in enumerate(queries):
            found[0][i], found[1][i] = self._exactly(query, best(scanned[i], k * _SHORTLIST) + start, k)
        return Found(*found)

    def exact(
        self,
        query: NDArray[np.float32],  # (D,)
        rows: NDArray[np.int64],  # (M,)
    ) -> NDArray[np.float32]:  # (M,)
        """Cosines with the query as it is."""
        held = self._cache.embedding[rows].astype(np.float32)
        cosine: NDArray[np.float32] = (held @ query) * self._cache.scale[rows]
        return cosine

    def near(self, place: LatLon, radius_m: float, rows: slice) -> NDArray[np.int64]:  # (M,)
        """The rows of a level whose centres lie within a radius, in order; a few bounding boxes tell where to look."""
        start, stop, _ = rows.indices(len(self._cache.embedding))
        frame = LocalFrame(place)
        per_lon_m, per_lat_m = frame.metres_per_degree()
        reach = np.array([radius_m / per_lat_m, radius_m / per_lon_m])
        boxes, at = self._boxes_of(start, stop), np.array([place.lat, place.lon])
        touched = ((boxes[:, 0] <= at + reach) & (boxes[:, 1] >= at - reach)).all(axis=1)
        nodes = np.flatnonzero(touched)
        inside = (start + nodes[:, None] * _NODE_ROWS + np.arange(_NODE_ROWS)).ravel()
        inside = inside[inside < stop]
        away_m = (self._cache.centre[inside] - at) * (per_lat_m, per_lon_m)
        near: NDArray[np.int64] = inside[np.einsum("ni,ni->n", away_m, away_m) <= radius_m**2]
        return near

    def top_near(
        self,
        queries: NDArray[np.float32],  # (Q, D)
        k: int,
        place: LatLon,
        radius_m: float,
        rows: slice,
    ) -> Found:
        """The ``k`` rows within a radius that are most like each query, exactly."""
        inside = self.near(place, radius_m, rows)
        k = min(k, len(inside))
        scanned = dots(_rounded(queries)[0], self._cache.embedding[inside]) * self._cache.scale[inside]
        found = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        for i, query in enumerate(queries):
            found[0][i], found[1][i] = self._exactly(query, inside[best(scanned[i], k * _SHORTLIST)], k)
        return Found(*found)

    def _exactly(
        self, query: NDArray[np.float32], short: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The best ``k`` of a shortlist by the query as it is."""
        cosine = self.exact(query, short)
        order = np.argsort(-cosine, kind="stable")[:k]
        return short[order], cosine[order]

    def _boxes_of(self, start: int, stop: int) -> NDArray[np.float64]:  # (nodes, 2, 2) low and high of lat, lon
        if (start, stop) not in self._boxes:
            centre, edges = self._cache.centre[start:stop], np.arange(0, stop - start, _NODE_ROWS)
            low, high = (reduce.reduceat(centre, edges, axis=0) for reduce in (np.minimum, np.maximum))
            self._boxes[start, stop] = np.stack([low, high], axis=1)
        return self._boxes[start, stop]


def dots(
    queries: NDArray[np.int8],  # (Q, D)
    rows: NDArray[np.int8],  # (N, D)
) -> NDArray[np.float64]:  # (Q, N)
    """Integer dot products, which float64 holds exactly."""
    if not len(rows):
        return np.empty((len(queries), 0))
    return np.asarray(numkong.cdist(queries, rows, "dot"))


def best(
    scores: NDArray[np.float32],  # (N,)
    count: int,
) -> NDArray[np.int64]:  # (count,)
    """Indices of the highest scores, in no order.

    Sorting apart a million scores takes as long as half their scan. A threshold guessed from a sample leaves some
    thousand, and that is thirty times faster; where the sample misleads, all are sorted apart after all.
    """
    if count >= len(scores):
        return np.arange(len(scores))
    sample = scores[::_SAMPLED_EVERY]
    least = 2 + 3 * count // _SAMPLED_EVERY
    if len(sample) > 4 * least:
        above = np.flatnonzero(scores >= np.partition(sample, -least)[-least])
        if len(above) >= count:
            return above[np.argpartition(scores[above], -count)[-count:]]
    return np.argpartition(scores, -count)[-count:]


def similarities(
    cache: TileCache,
    query: NDArray[np.float32],  # (Q, D) unit-norm
    rows: slice,
) -> NDArray[np.float32]:  # (Q, rows)
    """Exact cosine of each query with each row of a slice: plain numpy, the reference for every faster kernel."""
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


def _rounded(
    queries: NDArray[np.float32],  # (Q, D)
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:  # (Q, D), (Q, 1)
    step = np.maximum(np.abs(queries).max(axis=1, keepdims=True), np.float32(1e-12)) / np.float32(127)
    return np.rint(queries / step).astype(np.int8), step
