"""Hard batches: places that look alike meet, so that negatives are hard. Deuser et al., "Sample4Geo", ICCV 2023.

Their dynamic similarity sampling: an anchor, the S/2 places nearest to it by the encoder's own similarity, and S/2
random ones of the next, all out of its R nearest; then another anchor, until the batch is full. Theirs is R = 128 and
S = 64 for batches of 128; here R is the batch, whatever its size, and S is half of it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def nearest_places(
    drone: Tensor,  # (N, D) unit-norm
    tile: Tensor,  # (N, D) unit-norm
    places: NDArray[np.int64],  # (N,) each another number in 0..P-1
    *,
    count: int,  # P, of all places, also of those without an embedding
    nearest: int,  # R
    chunk_bytes: int = 64 * 2**20,  # of similarities that are held at a time
) -> NDArray[np.int32]:  # (P, R)
    """Find for each place the others that look most like it, nearest first; -1 where there are no more.

    Alike is what either direction of the loss confuses: the mean of drone-to-tile and tile-to-drone cosine. Rows of the
    similarity matrix are made and dropped in chunks: memory is bounded by one chunk and two copies of the input. A
    place without an embedding has no neighbours.
    """
    table = np.full((count, nearest), -1, np.int32)
    ask, answer = torch.cat([drone, tile], dim=1), torch.cat([tile, drone], dim=1)  # one product sums both directions
    kept = min(nearest, len(places) - 1)
    rows = max(1, chunk_bytes // (4 * len(places)))
    for first in range(0, len(places), rows):
        alike = ask[first : first + rows] @ answer.T
        alike.diagonal(first).fill_(-torch.inf)  # no place is its own neighbour
        nearest_rows = alike.topk(kept, dim=1).indices.cpu().numpy()
        table[places[first : first + rows], :kept] = places[nearest_rows]
    return table


def hard_batches(
    times: NDArray[np.int64],  # (P,) draws of each place: whole batches in all, none more often than there are batches
    neighbours: NDArray[np.int32],  # (P, R) of nearest_places
    batch: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:  # (batches, batch) places
    """Deal batches of an anchor and its neighbours, then the next anchor and its; no place is in a batch twice."""
    left, rows = times.copy(), []
    anchors = rng.permutation(np.repeat(np.arange(len(times)), times))
    for remaining in range(int(times.sum()) // batch, 0, -1):
        row = np.flatnonzero(left == remaining)  # put off now, one of these would later meet itself
        free = left > 0
        free[row] = False
        for anchor in anchors[free[anchors]]:
            if free[anchor]:
                together = _around(anchor, neighbours[anchor], rng)
                together = together[free[together]][: batch - len(row)]
                free[together] = False
                row = np.concatenate([row, together])
            if len(row) == batch:
                break
        left[row] -= 1
        rows.append(row)
    return np.stack(rows)


def _around(anchor: int, near: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """Return the anchor, its R/4 nearest, and R/4 random ones of the others, in this order."""
    near = near[near >= 0]
    quarter = -(-len(near) // 4)
    return np.concatenate([[anchor], near[:quarter], rng.permutation(near[quarter:])[:quarter]])
