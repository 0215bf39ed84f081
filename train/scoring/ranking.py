"""Retrieval metrics as the public benchmarks define them, exact: the order in which products are summed cannot show.

A wrong item ties ahead of a right one, so that an encoder that maps everything to one point scores nothing; what is not
finite ranks last. Similarities are tied where they round to the same 6 decimals. So that neither blocks nor threads
move one across the edge of a rounding, embeddings are read to 26 binary places: each product has 52 of them, and
float64 adds such products without an error in any order.

Memory beside the embeddings: under 350 MB for D = 1024, however many pictures there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

_TIE = 6
_ROUNDER = 1.5 * 2.0 ** (52 - 26)  # a float64 near this has 26 binary places: adding and taking it away rounds
_NORM_MAX = 1.01  # half precision strays so far; far more would overflow the keys
_LAST = 1 << 22  # a key behind all that similarities give
_BLOCK = 40_000_000  # similarities held at a time, 160 MB
_HEIGHT, _WIDTH, _PRODUCTS = 4096, 8192, 6_000_000  # queries and items that are multiplied at a time, at most 48 MB


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of a ranking: shares in 0..1 over all queries, and how many pictures there were."""

    r1: float
    r5: float
    r10: float
    r1_percent: float  # public code reads place round(N / 100) of the 0-based curve: R@11 for 951
    ap: float
    queries: int
    gallery: int

    def shares(self) -> dict[str, float]:
        """Return the shares by their names, best known first."""
        return {"r1": self.r1, "r5": self.r5, "r10": self.r10, "r1_percent": self.r1_percent, "ap": self.ap}


class Ranking(NamedTuple):
    """The outcome of each query: where its right items came, and what came first."""

    first: NDArray[np.float64]  # (Q,) 0-based rank of the best right item, infinite where there is none
    ap: NDArray[np.float64]  # (Q,) trapezoidal average precision
    answers: NDArray[np.int64]  # (Q, K) the gallery's nearest items, nearest first
    gallery: int

    def scores(self) -> Scores:
        """Average over the queries; one without a right item scores 0 and counts."""
        percent = round(0.01 * self.gallery) + 1
        r1, r5, r10, r1_percent = (float((self.first < k).mean()) for k in (1, 5, 10, percent))
        return Scores(r1, r5, r10, r1_percent, float(self.ap.mean()), len(self.first), self.gallery)


def score(
    query: NDArray[np.float32],  # (Q, D) unit-norm
    gallery: NDArray[np.float32],  # (G, D) unit-norm
    query_places: NDArray[np.int64],  # (Q,)
    gallery_places: NDArray[np.int64],  # (G,)
) -> Scores:
    """Rank the gallery for each query by cosine and average; raises ValueError as :func:`rank` does."""
    return rank(query, gallery, query_places, gallery_places).scores()


def rank(
    query: NDArray[np.float32],  # (Q, D) unit-norm
    gallery: NDArray[np.float32],  # (G, D) unit-norm
    query_places: NDArray[np.int64],  # (Q,)
    gallery_places: NDArray[np.int64],  # (G,)
    *,
    top: int = 0,
) -> Ranking:
    """Find where the right items come for each query, and its ``top`` first answers.

    Raises ValueError for rows that are finite and longer than 1, or where there is nothing to rank.
    """
    _check(query, gallery, query_places, gallery_places)
    top = min(top, len(gallery))
    first, ap = np.full(len(query), np.inf), np.zeros(len(query))
    answers = np.empty((len(query), top), np.int64)
    for some, keys in _blocks(query, gallery, query_places, gallery_places):
        if top:
            answers[some] = torch.topk(torch.from_numpy(keys), top, largest=False).indices.numpy()
        _sort_rows(keys)
        first[some], ap[some] = _read_hits(keys)
    return Ranking(first, ap, answers, len(gallery))


def precision_terms(
    hits: NDArray[np.int64],  # (N,) 0-based ranks of the right items, ascending
    nth: NDArray[np.int64],  # (N,) 0-based: how many right items of the same query come before
) -> NDArray[np.float64]:  # (N,)
    """Return each hit's part of the trapezoidal AP, their mean; a lone hit: 1 at rank 0, else 1 / (2 (rank + 1))."""
    before = np.where(hits > 0, nth / np.maximum(hits, 1), 1.0)
    return np.asarray(((nth + 1) / (hits + 1) + before) / 2, np.float64)


def _read_hits(
    keys: NDArray[np.int32],  # (B, G) sorted; left without a meaning
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (B,) first, (B,) ap
    """Read the rank of the first right item and the AP out of sorted keys."""
    keys &= 1
    row, hit = np.divmod(np.flatnonzero(keys), keys.shape[1])
    counts = np.bincount(row, minlength=len(keys))
    _, nth = _ragged(counts)
    ap = np.bincount(row, precision_terms(hit, nth), minlength=len(keys)) / np.maximum(counts, 1)
    first = np.full(len(keys), np.inf)
    first[row[nth == 0]] = hit[nth == 0]
    return first, ap


def _blocks(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_places: NDArray[np.int64],
    gallery_places: NDArray[np.int64],
) -> Iterator[tuple[slice, NDArray[np.int32]]]:
    """Yield for some queries at a time a key of each item, (B, G): ascending is best first, and odd is right."""
    by_place = np.argsort(gallery_places, kind="stable")
    places = gallery_places[by_place]
    broken = ~np.isfinite(gallery).all(axis=1)
    height = max(1, min(_BLOCK // len(gallery), _HEIGHT, len(query)))
    room = np.empty((height, len(gallery)), np.int32)
    for start in range(0, len(query), height):
        some = slice(start, min(start + height, len(query)))
        keys = room[: some.stop - start]
        _write_keys(keys, query[some], gallery)
        keys[:, broken] = _LAST
        keys[~np.isfinite(query[some]).all(axis=1)] = _LAST
        begin, end = (np.searchsorted(places, query_places[some], side) for side in ("left", "right"))
        row, nth = _ragged(end - begin)
        keys[row, by_place[begin[row] + nth]] += 1  # wrong before right among equals
        yield some, keys


def _write_keys(
    keys: NDArray[np.int32],  # (B, G), written: even, smaller is more alike
    query: NDArray[np.float32],  # (B, D)
    gallery: NDArray[np.float32],  # (G, D)
) -> None:
    """Write a key of each item for each query, a strip of the gallery at a time."""
    left = _exact(query, np.empty(query.shape))
    width = max(1, min(_PRODUCTS // len(query), _WIDTH, len(gallery)))
    room = np.empty((width, query.shape[1]))  # new memory for each strip would cost as much as the rounding
    products = np.empty(len(query) * width)
    for start in range(0, len(gallery), width):
        strip = gallery[start : start + width]
        product = products[: len(query) * len(strip)].reshape(len(query), len(strip))
        np.matmul(left, _exact(strip, room[: len(strip)]).T, out=product)
        product *= -(10.0**_TIE)
        keys[:, start : start + len(strip)] = np.rint(product, out=product)
    keys <<= 1


def _exact(
    rows: NDArray[np.float32],  # (N, D)
    out: NDArray[np.float64],  # (N, D)
) -> NDArray[np.float64]:
    """Fill ``out`` with the rows to 26 binary places, zero where they are no numbers, and return it."""
    out[:] = rows
    out += _ROUNDER
    out -= _ROUNDER
    out[~np.isfinite(rows).all(axis=1)] = 0.0
    return out


def _sort_rows(keys: NDArray[np.int32]) -> None:
    """Sort each row in place, on all cores: NumPy lets other threads run while it sorts."""
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(lambda rows: rows.sort(axis=1), np.array_split(keys, cores)))


def _ragged(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number ``counts[i]`` items of each row i: their rows, and their 0-based numbers within the row."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - (np.cumsum(counts) - counts)[row]


def _check(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_places: NDArray[np.int64],
    gallery_places: NDArray[np.int64],
) -> None:
    """Raise ValueError for rows that are not of unit norm, or not as many as their places."""
    for what, rows, places in (("queries", query, query_places), ("gallery", gallery, gallery_places)):
        if rows.ndim != 2 or not len(rows) or len(rows) != len(places) or rows.shape[1] != query.shape[1]:
            raise ValueError(f"{what}: {rows.shape} rows and {len(places)} places; expected one place a row, and a row")
        norm = np.sqrt(np.einsum("nd,nd->n", rows, rows))
        long = np.isfinite(norm) & (norm > _NORM_MAX)
        if long.any():
            raise ValueError(f"{what}: row {long.argmax()} has norm {norm[long.argmax()]:.3f}; expected unit-norm rows")
