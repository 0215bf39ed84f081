"""Symmetric InfoNCE with a learnable temperature and label smoothing."""

from __future__ import annotations

import torch
from torch import Tensor

from train.losses.distances import negatives


def symmetric_info_nce(
    cosines: Tensor,  # (B, B) from cross_cosines
    scale: Tensor,  # () positive, 1 / temperature
    *,
    label_smoothing: float = 0.1,
    same_place: Tensor | None = None,  # (B, B) bool, True where i and j show one place
) -> Tensor:  # ()
    """Return the cross-entropy of each view's tile among all tiles and of each tile's view among all views, averaged.

    Deuser et al., "Sample4Geo", ICCV 2023. Overlapping tiles would be false negatives: ``same_place`` takes them out
    of the denominator and out of the smoothing, as if they were not in the batch. With logits x, smoothing s and k over
    the allowed others and i itself, a query's loss is ``log sum_k exp x_ik - (1 - s) x_ii - s mean_k x_ik``.
    """
    logits = scale * cosines
    allowed = negatives(logits, same_place).fill_diagonal_(True)
    masked = logits.masked_fill(~allowed, float("-inf"))
    own, others = logits.diagonal(), logits * allowed.to(logits.dtype)
    ways = []
    for gallery in (1, 0):  # tiles are in columns, drone frames in rows
        mean = others.sum(gallery) / allowed.sum(gallery)
        ways.append(masked.logsumexp(gallery) - (1.0 - label_smoothing) * own - label_smoothing * mean)
    return torch.stack(ways).mean()
