"""Symmetric InfoNCE with a learnable temperature and label smoothing."""

from __future__ import annotations

import torch
from torch import Tensor


def symmetric_info_nce(
    drone: Tensor,  # (B, D) unit-norm
    tile: Tensor,  # (B, D) unit-norm; row i is the tile that drone frame i was taken over
    scale: Tensor,  # () positive, 1 / temperature
    *,
    label_smoothing: float = 0.1,
    same_place: Tensor | None = None,  # (B, B) bool, True where i and j show one place
) -> Tensor:  # ()
    """InfoNCE in both directions, not punishing pairs that show the same place.

    Deuser et al., "Sample4Geo", ICCV 2023. Overlapping tiles make false negatives: ``same_place`` takes them out of
    the denominator and out of the smoothing.
    """
    if drone.shape != tile.shape or drone.ndim != 2:
        raise ValueError(f"drone is {tuple(drone.shape)}, tile is {tuple(tile.shape)}; expected one (B, D) for both")
    logits = scale * drone @ tile.T
    diagonal = torch.eye(len(drone), dtype=torch.bool, device=drone.device)
    allowed = diagonal if same_place is None else diagonal | ~same_place
    if same_place is None:
        allowed = torch.ones_like(diagonal)
    return (_smoothed(logits, allowed, label_smoothing) + _smoothed(logits.T, allowed.T, label_smoothing)) / 2


def _smoothed(
    logits: Tensor,  # (B, B)
    allowed: Tensor,  # (B, B) bool
    label_smoothing: float,
) -> Tensor:  # ()
    log_p = logits.masked_fill(~allowed, float("-inf")).log_softmax(dim=1)
    # A library's smoothing would spread mass over the masked entries too, whose log is minus infinity.
    spread = log_p.masked_fill(~allowed, 0.0).sum(dim=1) / allowed.sum(dim=1)
    return -((1.0 - label_smoothing) * log_p.diagonal() + label_smoothing * spread).mean()
