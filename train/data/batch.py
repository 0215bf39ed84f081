"""Batches of pairs, as a loader hands them to the trainer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_SAME_IOU = 0.2  # two squares that share a third of either look alike


class Batch(NamedTuple):
    """Pairs that the trainer takes one step on."""

    drone: Tensor  # (B, S, S, 3) uint8 RGB
    tile: Tensor  # (B, S, S, 3) uint8 RGB
    place: Tensor  # (B,) int64; equal numbers are one place, and -1 - n is the place beside n
    footprint: Tensor  # (B, 4) float64: site, east, north and side of the tile's square in metres; NaN where unknown
    scene: Tensor  # (B,) int64 index into the dataset, by which an error names pictures

    def same_place(self) -> Tensor:  # (B, B) bool
        """Mark the pairs that are no negatives of each other: of one place, or of squares that overlap much."""
        return (self.place[:, None] == self.place) | (_square_iou(self.footprint) > _SAME_IOU)


def _square_iou(footprint: Tensor) -> Tensor:  # (B, 4) -> (B, B), NaN where unknown
    """Return how much the squares of each two pairs overlap, intersection over union; NaN where one is unknown."""
    site, east, north, side = footprint.T
    half = side / 2
    across, up = (
        (torch.minimum(x[:, None] + half[:, None], x + half) - torch.maximum(x[:, None] - half[:, None], x - half))
        for x in (east, north)
    )
    shared = across.clamp_min(0.0) * up.clamp_min(0.0) * (site[:, None] == site)
    return torch.div(shared, side[:, None] ** 2 + side**2 - shared)
