"""What the tests of the losses share: unit rows, points on a circle, and triplets counted by plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from statistics import fmean

import torch
from hypothesis import strategies as st
from torch import Tensor

from train.choices import Distance
from train.losses.distances import as_distances, cross_cosines

Triplet = tuple[float, float]  # d_p, d_n
Batch = tuple[Tensor, Tensor, Tensor]  # drones and tiles (B, D), and which pairs show one place (B, B)


def unit_rows(count: int, dim: int, seed: int) -> Tensor:
    rows = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=1)


def on_circle(*degrees: float) -> Tensor:
    return torch.tensor([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in degrees], dtype=torch.float64)


def distances_of(drone: Tensor, tile: Tensor, kind: Distance = "euclidean") -> Tensor:
    return as_distances(cross_cosines(drone, tile), kind)


def loop_distance(a: Tensor, b: Tensor, kind: Distance = "euclidean") -> float:
    if kind == "cosine":
        return 1 - sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def loop_queries(drone: Tensor, tile: Tensor, same: Tensor, kind: Distance = "euclidean") -> Iterator[list[Triplet]]:
    """The triplets of each query, drone frames first; pairs of one place are no negatives of each other."""
    for query, gallery, together in ((drone, tile, same), (tile, drone, same.T)):
        for i in range(len(query)):
            d_p = loop_distance(query[i], gallery[i], kind)
            kept = [k for k in range(len(gallery)) if k != i and not together[i, k]]
            yield [(d_p, loop_distance(query[i], gallery[k], kind)) for k in kept]


def mean_over_triplets(queries: Iterable[list[Triplet]], term: Callable[[float, float], float]) -> float:
    terms = [term(d_p, d_n) for pairs in queries for d_p, d_n in pairs]
    return fmean(terms) if terms else 0.0


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Unit rows of drones and tiles, and a mask of pairs of one place, not even symmetric; it may hold them all."""
    count, dim, seed = draw(st.integers(1, 6)), draw(st.integers(2, 6)), draw(st.integers(0, 10_000))
    drawn = torch.rand(count, count, generator=torch.Generator().manual_seed(seed))
    same = (drawn < draw(st.sampled_from([0.0, 0.3, 1.0]))) | torch.eye(count, dtype=torch.bool)
    return unit_rows(count, dim, seed), unit_rows(count, dim, seed + 1), same


def fixed_batch() -> Batch:
    """Four pairs that want gradients, of which two show one place."""
    same = torch.eye(4, dtype=torch.bool)
    same[0, 1] = True
    return unit_rows(4, 3, 2).requires_grad_(), unit_rows(4, 3, 3).requires_grad_(), same
