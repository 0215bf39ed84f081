"""The one matrix of cross-view distances that all triplet losses share."""

from __future__ import annotations

import torch
from torch import Tensor


def cross_distances(
    drone: Tensor,  # (B, D) unit-norm
    tile: Tensor,  # (B, D) unit-norm
) -> Tensor:  # (B, B) row: drone frame, column: tile
    """Euclidean distances in at least float32, also under autocast: half precision has no digits left near zero."""
    if drone.shape != tile.shape or drone.ndim != 2:
        raise ValueError(f"drone is {tuple(drone.shape)}, tile is {tuple(tile.shape)}; expected one (B, D) for both")
    with torch.autocast(drone.device.type, enabled=False):
        if drone.dtype != torch.float64:
            drone, tile = drone.float(), tile.float()
        squared = 2.0 - 2.0 * drone @ tile.T
        return squared.clamp_min(1e-8).sqrt()  # the slope of a root at zero is infinite


def both_directions(distances: Tensor) -> Tensor:  # (B, B) -> (2, B, B)
    """Queries in rows: first drone to tile, then tile to drone; the diagonal holds the positives."""
    return torch.stack([distances, distances.T])


def negatives(count: int, same_place: Tensor | None, device: torch.device) -> Tensor:  # (B, B) bool
    """True where row and column show two places; ``same_place`` (B, B) takes overlapping footprints out."""
    mask = ~torch.eye(count, dtype=torch.bool, device=device)
    return mask if same_place is None else mask & ~same_place
