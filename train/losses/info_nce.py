"""Symmetric InfoNCE with a learnable temperature and label smoothing."""

from __future__ import annotations

from torch import Tensor

from train.losses.distances import negatives


def symmetric_info_nce(
    cosines: Tensor,  # (B, B) from cross_cosines
    scale: Tensor,  # () positive, 1 / temperature
    *,
    label_smoothing: float = 0.1,
    same_place: Tensor | None = None,  # (B, B) bool, True where i and j show one place
) -> Tensor:  # ()
    """Cross-entropy of each view's tile among all tiles, and of each tile's view among all views, averaged.

    Deuser et al., "Sample4Geo", ICCV 2023. Overlapping tiles would be false negatives: ``same_place`` takes them out
    of the denominator and out of the smoothing, as if they were not in the batch.
    """
    logits = scale * cosines
    allowed = negatives(logits, same_place).fill_diagonal_(True)
    return (_one_way(logits, allowed, label_smoothing, 1) + _one_way(logits, allowed, label_smoothing, 0)) / 2


def _one_way(
    logits: Tensor,  # (B, B)
    allowed: Tensor,  # (B, B) bool
    label_smoothing: float,
    dim: int,  # of the gallery
) -> Tensor:  # ()
    """``-(1 - s) log p_ii - s mean_k log p_ik`` with ``log p_ik = x_ik - log sum_k exp x_ik``, over allowed k alone."""
    log_sum = logits.masked_fill(~allowed, float("-inf")).logsumexp(dim)
    mean = (logits * allowed).sum(dim) / allowed.sum(dim)
    return (log_sum - (1.0 - label_smoothing) * logits.diagonal() - label_smoothing * mean).mean()
