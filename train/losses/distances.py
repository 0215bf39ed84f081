"""The matrix of all views against all tiles that the losses share, and which of its pairs are negatives."""

from __future__ import annotations

import torch
from torch import Tensor

from runtime.errors import SettingsError
from train.choices import DISTANCES, Distance

_FLOOR = 1e-8  # below it lies rounding alone; the slope of a root at zero is infinite, and 0 / 0 is no hardness


def at_least_float32(rows: Tensor) -> Tensor:
    """Return rows of half precision in float32, and others as they are."""
    return rows if rows.dtype == torch.float64 else rows.float()


def cross_cosines(
    drone: Tensor,  # (B, D) unit-norm
    tile: Tensor,  # (B, D) unit-norm; row i is the tile that drone frame i was taken over
) -> Tensor:  # (B, B) row: drone frame, column: tile
    """Return the cosines of all pairs in at least float32; raises ValueError where the rows are no pairs.

    Autocast is off here: half precision has no digits left near one.
    """
    if drone.shape != tile.shape or drone.ndim != 2:
        raise ValueError(f"drone is {tuple(drone.shape)}, tile is {tuple(tile.shape)}; expected one (B, D) for both")
    with torch.autocast(drone.device.type, enabled=False):
        return at_least_float32(drone) @ at_least_float32(tile).T


def as_distances(
    cosines: Tensor,  # (B, B)
    kind: Distance = "euclidean",
) -> Tensor:  # (B, B)
    """Return ``sqrt(2 - 2 cos)``, the Euclidean distance of unit vectors, or ``1 - cos``; raises SettingsError."""
    if kind not in DISTANCES:
        raise SettingsError(f"distance {kind!r} is unknown; expected one of {', '.join(DISTANCES)}")
    if kind == "cosine":
        return (1.0 - cosines).clamp_min(_FLOOR)
    return (2.0 - 2.0 * cosines).clamp_min(_FLOOR).sqrt()


def both_directions(matrix: Tensor) -> Tensor:  # (B, B) -> (2, B, B)
    """Stack drone to tile and tile to drone; queries are in rows, and the diagonals hold the positives."""
    return torch.stack([matrix, matrix.T])


def negatives(
    matrix: Tensor,  # (B, B)
    same_place: Tensor | None,  # (B, B) bool, True where i and j show one place
) -> Tensor:  # (B, B) bool
    """Tell where row and column show two places; overlapping footprints are no negatives of each other."""
    off_diagonal = ~torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)
    return off_diagonal if same_place is None else off_diagonal & ~same_place


def triplet_shares(
    distances: Tensor,  # (B, B)
    same_place: Tensor | None,  # (B, B) bool
) -> Tensor:  # (2, B, B)
    """Return 1/n at each of the n triplets of both directions and 0 elsewhere: a sum with it is their mean."""
    real = negatives(distances, same_place).to(distances.dtype)  # a product with bool takes five times as long
    return both_directions(real / (2 * real.sum()).clamp_min(1.0))
