"""Triplet losses: hinges over all negatives of a batch, or over the hardest of each query."""

from __future__ import annotations

from torch import Tensor

from train.losses.distances import both_directions, negatives, triplet_shares


def triplet_gaps(distances: Tensor) -> Tensor:  # (B, B) -> (2, B, B), the diagonal without meaning
    """Return ``d_p - d_n`` of every query (row) and every other picture as its negative, in both directions."""
    return distances.diagonal()[:, None] - both_directions(distances)


def all_triplets(
    distances: Tensor,  # (B, B)
    margin: float = 0.3,
    same_place: Tensor | None = None,  # (B, B) bool
) -> Tensor:  # ()
    """Return the mean of ``relu(d_p - d_n + margin)`` over ALL triplets, zeros included.

    Averaging only the non-zero ones keeps the loss from falling, however well the encoder does.
    """
    hinges = (triplet_gaps(distances) + margin).relu()
    return (hinges * triplet_shares(distances, same_place)).sum()


def hard_triplets(
    distances: Tensor,  # (B, B)
    margin: float = 0.3,
    same_place: Tensor | None = None,  # (B, B) bool
) -> Tensor:  # ()
    """Return the mean over queries of the hinge with the nearest negative.

    Batch-hard of Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017.
    """
    mask = both_directions(negatives(distances, same_place))
    hardest = triplet_gaps(distances).masked_fill(~mask, float("-inf")).amax(dim=2)  # (2, B)
    return (hardest + margin).relu().mean()
