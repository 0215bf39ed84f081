"""Nearest rows of a cache: a cheap look at all rows, then the exact cosine of the few best.

Few rows, and those within a radius, are scanned whole: int8 against int8, the query rounded, at the memory's own speed.
What the rounding costs (some 0.002 of cosine) is undone on a shortlist, ranked by the float query. Where there are
more, :meth:`Searcher.top` reads only their signs (:mod:`runtime.tiles.sign_bits`), an eighth of the bytes. It may then
miss a row of the best, seldom: ``benchmarks/search.py`` prints how many; :meth:`Searcher.scan` misses none.
Kernel of the scan: numkong (SIMD dot products of int8 on x86-64 and aarch64). :func:`similarities` is the plain numpy
reference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numkong
import numpy as np
from numpy.typing import NDArray

from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import LatLon
from runtime.tiles.cache import TileCache
from runtime.tiles.sign_bits import least_differing, sign_bits_of

_BLOCK_ROWS = 16384
_THREADED_ROWS = 65_536  # fewer are scanned faster by one thread
_SKETCHED_ROWS = 65_536  # fewer are scanned whole within a millisecond or two
_SHORTLIST = 16  # times as many as are asked for, by the rounded query
_SKETCHED_SHORTLIST = 256  # at least, of each part, by signs: they tell less than a rounded query does
_SKETCHED_PARTS = 4  # a thread: short lists are kept in order faster than one long one
_SAMPLED_EVERY = 61  # scores, to guess a threshold from
_NODE_ROWS = 256  # rows along the curve that share a bounding box


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The rows most like each query, best first; fewer than asked for where the cache holds fewer."""

    row: NDArray[np.int64]  # (Q, k)
    cosine: NDArray[np.float32]  # (Q, k)


class Searcher:
    """Searches one cache; opens at once, whatever its size: nothing is read before it is asked for.

    In a cache that was opened lazily, rows are compared with their hashes before they are read: CacheError.
    """

    def __init__(self, cache: TileCache, threads: int = 0) -> None:
        """``threads`` 0: one a core."""
        self._cache = cache
        self._threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None
        self._boxes: dict[tuple[int, int], NDArray[np.float64]] = {}
        self._signs: NDArray[np.uint8] | None = None  # (N, ceil(D / 8)), once they are asked for

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
            self._cache.check_rows(slice(start + first, start + last), ("embedding", "scale"))
            for low in range(first, last, _BLOCK_ROWS):
                at = slice(low, min(low + _BLOCK_ROWS, last))
                found[:, at] = dots(rounded, held[at])
                found[:, at] *= self._cache.scale[start + at.start : start + at.stop]
            found[:, first:last] *= step

        edges = self._edges(0, stop - start)
        self._each(part, edges[:-1], edges[1:])
        return found

    def top(
        self,
        queries: NDArray[np.float32],  # (Q, D) unit-norm: one a supposed heading
        k: int,
        rows: slice = slice(None),
    ) -> SearchResult:
        """The ``k`` rows most like each query, with their exact cosines; large slices are searched by their signs."""
        start, stop, _ = rows.indices(len(self._cache.embedding))
        if stop - start >= _SKETCHED_ROWS:
            by_signs = zip(queries, self._by_signs(queries, k, start, stop), strict=True)
            short = [self._rounded_best(query, some, k * _SHORTLIST) for query, some in by_signs]
        else:
            short = [best(scanned, k * _SHORTLIST) + start for scanned in self.scan(queries, rows)]
        return self._exactly(queries, short, k)

    def exact(
        self,
        query: NDArray[np.float32],  # (D,)
        rows: NDArray[np.int64],  # (M,)
    ) -> NDArray[np.float32]:  # (M,)
        """Cosines with the query as it is; the places of these rows are checked too."""
        self._cache.check_rows(rows)
        held = self._cache.embedding[rows].astype(np.float32)
        cosine: NDArray[np.float32] = (held @ query) * self._cache.scale[rows]
        return cosine

    def near(self, place: LatLon, radius_m: float, rows: slice) -> NDArray[np.int64]:  # (M,)
        """The rows of a level whose centres lie within a radius, in order; a few bounding boxes tell where to look."""
        start, stop, _ = rows.indices(len(self._cache.embedding))
        frame = LocalFrame(place)
        per_lon_m, per_lat_m = frame.metres_per_degree()
        reach = 1.001 * radius_m / np.array([per_lat_m, per_lon_m])  # rounding: boxes only tell where to look
        boxes, at = self._boxes_of(start, stop), np.array([place.lat, place.lon])
        off = np.abs(_off(boxes.mean(axis=1), at))
        touched = (off <= (boxes[:, 1] - boxes[:, 0]) / 2 + reach).all(axis=1)
        nodes = np.flatnonzero(touched)
        inside = (start + nodes[:, None] * _NODE_ROWS + np.arange(_NODE_ROWS)).ravel()
        inside = inside[inside < stop]
        away_m = _off(self._cache.centre[inside], at) * (per_lat_m, per_lon_m)
        near: NDArray[np.int64] = inside[np.einsum("ni,ni->n", away_m, away_m) <= radius_m**2]
        return near

    def top_near(
        self,
        queries: NDArray[np.float32],  # (Q, D)
        k: int,
        place: LatLon,
        radius_m: float,
        rows: slice,
    ) -> SearchResult:
        """The ``k`` rows within a radius that are most like each query, exactly."""
        inside = self.near(place, radius_m, rows)
        self._cache.check_rows(inside, ("embedding", "scale"))
        scanned = dots(_rounded(queries)[0], self._cache.embedding[inside]) * self._cache.scale[inside]
        return self._exactly(queries, [inside[best(one, k * _SHORTLIST)] for one in scanned], k)

    def _exactly(self, queries: NDArray[np.float32], short: list[NDArray[np.int64]], k: int) -> SearchResult:
        """The best ``k`` of a shortlist a query, by the query as it is."""
        rows, cosines = [], []
        for query, some in zip(queries, short, strict=True):
            cosine = self.exact(query, some)
            order = np.argsort(-cosine, kind="stable")[:k]
            rows.append(some[order])
            cosines.append(cosine[order])
        return SearchResult(np.stack(rows), np.stack(cosines))

    def _rounded_best(
        self, query: NDArray[np.float32], rows: NDArray[np.int64], count: int
    ) -> NDArray[np.int64]:  # (D,), (M,) -> (count,)
        """The best of some rows by the rounded query."""
        self._cache.check_rows(rows, ("embedding", "scale"))
        scanned = dots(_rounded(query[None])[0], self._cache.embedding[rows])[0] * self._cache.scale[rows]
        return rows[best(scanned, count)]

    def _by_signs(self, queries: NDArray[np.float32], k: int, start: int, stop: int) -> list[NDArray[np.int64]]:
        """A shortlist a query, of a part of the rows a thread."""
        if self._signs is None:
            self._signs = self._sketched()
        signs, asked, count = self._signs, sign_bits_of(queries), max(_SKETCHED_SHORTLIST, k * _SHORTLIST)
        edges, found = self._edges(start, stop, _SKETCHED_PARTS), {}

        def part(query: int, first: int, last: int) -> None:
            found[query, first] = first + least_differing(signs[first:last], asked[query], count)

        which = np.arange(len(queries)).repeat(len(edges) - 1)
        self._each(part, which, np.tile(edges[:-1], len(queries)), np.tile(edges[1:], len(queries)))
        return [np.concatenate([found[i, first] for first in edges[:-1]]) for i in range(len(queries))]

    def _sketched(self) -> NDArray[np.uint8]:  # (N, ceil(D / 8))
        """Signs of all rows, kept in memory: one pass over the cache, at the first search that wants them."""
        held = self._cache.embedding
        signs = np.empty((len(held), -(-held.shape[1] // 8)), np.uint8)

        def part(first: int, last: int) -> None:
            self._cache.check_rows(slice(first, last), ("embedding",))
            for low in range(first, last, _BLOCK_ROWS):
                at = slice(low, min(low + _BLOCK_ROWS, last))
                signs[at] = sign_bits_of(held[at])

        edges = self._edges(0, len(held))
        self._each(part, edges[:-1], edges[1:])
        return signs

    def _edges(self, start: int, stop: int, each: int = 1) -> list[int]:
        """Where the parts of a slice begin, ``each`` a thread, and where the last ends."""
        parts = each * self._threads if stop - start >= _THREADED_ROWS else 1
        return [start + (stop - start) * i // parts for i in range(parts + 1)]

    def _each(self, call: Callable[..., None], *arguments: Iterable[int]) -> None:
        """Calls at once, by as many threads as there are."""
        list((map if self._pool is None else self._pool.map)(call, *arguments))

    def _boxes_of(self, start: int, stop: int) -> NDArray[np.float64]:  # (nodes, 2, 2) low and high of lat, lon
        if (start, stop) not in self._boxes:
            self._cache.check_rows(slice(start, stop), ("centre",))
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
    counts = [one["rows"] for one in cache.metadata["levels"]]
    return slice(sum(counts[:level]), sum(counts[: level + 1]))


def _off(
    places: NDArray[np.float64],  # (N, 2) lat, lon
    at: NDArray[np.float64],  # (2,)
) -> NDArray[np.float64]:  # (N, 2)
    """Degrees from ``at``, in longitude the short way round."""
    return np.column_stack([places[:, 0] - at[0], short_way_deg(places[:, 1] - at[1])])


def _rounded(
    queries: NDArray[np.float32],  # (Q, D)
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:  # (Q, D), (Q, 1)
    step = np.maximum(np.abs(queries).max(axis=1, keepdims=True), np.float32(1e-12)) / np.float32(127)
    return np.rint(queries / step).astype(np.int8), step
