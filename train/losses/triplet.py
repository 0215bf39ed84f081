"""Triplet hinges over all in-batch negatives, or over the hardest of each query."""

from __future__ import annotations

import torch
from torch import Tensor

from train.losses.distances import both_directions, negatives


def triplet_hinges(
    distances: Tensor,  # (B, B)
    margin: float,
) -> Tensor:  # (2, B, B), the diagonal without meaning
    """``relu(d_p - d_n + margin)`` of every query and column, in both directions."""
    both = both_directions(distances)
    positive = both.diagonal(dim1=1, dim2=2).unsqueeze(2)  # (2, B, 1)
    return (positive - both + margin).relu()


def all_triplets(
    distances: Tensor,  # (B, B)
    margin: float = 0.3,
    same_place: Tensor | None = None,  # (B, B) bool
    weights: Tensor | None = None,  # (2, B, B)
) -> Tensor:  # ()
    """Mean over ALL triplets, zeros included; averaging only the non-zero ones keeps a loss from falling."""
    hinges = triplet_hinges(distances, margin)
    if weights is not None:
        hinges = hinges * weights
    mask = both_directions(negatives(len(distances), same_place, distances.device))
    return hinges[mask].sum() / mask.sum().clamp_min(1)


def hard_triplets(
    distances: Tensor,  # (B, B)
    margin: float = 0.3,
    same_place: Tensor | None = None,  # (B, B) bool
) -> Tensor:  # ()
    """Mean over queries of the hinge with the nearest negative (batch-hard, Hermans et al. 2017)."""
    mask = both_directions(negatives(len(distances), same_place, distances.device))
    hinges = triplet_hinges(distances, margin).masked_fill(~mask, 0.0)
    return torch.amax(hinges, dim=2).mean()
