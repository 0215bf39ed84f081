"""Scoring University-1652's size of embeddings against what it cannot go below, and against a loop, in one run.

    python benchmarks/evaluation.py [--threads 2] [--dim 1024] [--rounds 5]

Below: the bare float32 product with the first ten answers of each query, and with all of them in order, which a mean AP
in the public way needs. The loops ask one query after the other: some are timed, and that is multiplied up; one has our
rule for ties, the other leaves ties to chance as public code does. Ours multiplies in float64, twice the work, so that
no rounding shows. Random embeddings: ranks are spread over the whole gallery, which is the hard case.
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np
import torch
from numpy.typing import NDArray
from report import print_setting

from train.scoring.ranking import rank

SIZES = {"drone -> satellite": (37_855, 701, 951), "satellite -> drone": (701, 701, 51_355)}  # queries, places, gallery
ROWS = 2048  # queries that are multiplied at a time
LOOPED = 100

Array = NDArray[np.float32]
Places = NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="of torch; NumPy's are those of OMP_NUM_THREADS")
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print_setting(args.threads)
    print(f"torch {torch.__version__}, D = {args.dim}, median of {args.rounds} rounds")
    for name, (queries, places, items) in SIZES.items():
        query, gallery = unit(queries, args.dim, seed=0), unit(items, args.dim, seed=1)
        print(f"{name}: {queries} x {items}, embeddings {(query.nbytes + gallery.nbytes) / 1e6:.0f} MB")
        compare(query, gallery, np.arange(queries) % places, np.arange(items) % 951, args.rounds)


def compare(query: Array, gallery: Array, query_places: Places, gallery_places: Places, rounds: int) -> None:
    """Print the seconds of each way, and ours in them."""

    def ours() -> object:
        return rank(query, gallery, query_places, gallery_places, top=10)

    print(f"  peak memory beside the embeddings {peak_mb(ours):.0f} MB")
    seconds = measure(
        {
            "train.scoring.ranking.rank": ours,
            "product + first ten": lambda: bare(query, gallery, first_ten),
            "product + whole order": lambda: bare(query, gallery, whole_order),
            "loop, our ties": lambda: loop(query[:LOOPED], gallery, query_places, gallery_places, wrong_first),
            "loop, ties by chance": lambda: loop(query[:LOOPED], gallery, query_places, gallery_places, by_chance),
        },
        rounds,
    )
    times = len(query) / LOOPED
    ours_s = seconds["train.scoring.ranking.rank"]
    for way, taken_s in seconds.items():
        whole_s = taken_s * (times if way.startswith("loop") else 1)
        wall, cpu = ours_s / whole_s
        note = f"   ({LOOPED} queries, x {times:g})" if way.startswith("loop") else ""
        print(f"  {way:22} {whole_s[0]:7.2f} s, ours / this {wall:5.3f}   CPU {whole_s[1]:7.2f} s, {cpu:5.3f}{note}")


def measure(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Median seconds by the wall and on the CPU; the ways take turns, so that a busy machine is busy for all."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            wall, cpu = perf_counter(), process_time()
            call()
            taken[name].append((perf_counter() - wall, process_time() - cpu))
    return {name: np.median(seconds, axis=0) for name, seconds in taken.items()}


def bare(query: Array, gallery: Array, order: Callable[[Array], object]) -> None:
    for start in range(0, len(query), ROWS):
        order(query[start : start + ROWS] @ gallery.T)


def first_ten(similarity: Array) -> object:
    return torch.topk(torch.from_numpy(similarity), 10)


def whole_order(similarity: Array) -> object:
    return np.argsort(-similarity, axis=1)


def loop(
    query: Array,
    gallery: Array,
    query_places: Places,
    gallery_places: Places,
    order: Callable[[Array, NDArray[np.bool_]], Places],
) -> float:
    """Mean AP, one query after the other."""
    total = 0.0
    for row, place in zip(query, query_places, strict=False):
        right = gallery_places == place
        hits = np.flatnonzero(right[order(gallery @ row, right)])
        nth = np.arange(len(hits))
        before = np.where(hits > 0, nth / np.maximum(hits, 1), 1.0)
        total += float(((nth + 1) / (hits + 1) + before).mean()) / 2
    return total / len(query)


def wrong_first(similarity: Array, right: NDArray[np.bool_]) -> Places:
    return np.lexsort((right, -np.round(similarity.astype(np.float64), 6)))


def by_chance(similarity: Array, _right: NDArray[np.bool_]) -> Places:
    return np.argsort(-similarity)


def unit(count: int, dim: int, *, seed: int) -> Array:
    """(count, dim) of unit norm."""
    rows = np.random.default_rng(seed).standard_normal((count, dim), np.float32)
    rows /= np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    return rows


def peak_mb(call: Callable[[], object]) -> float:
    """The most memory that NumPy's and Python's objects take during a call."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    main()
