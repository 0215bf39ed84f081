"""Embeddings of made-up places, and the table of those that look alike."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from train.fit.hard_batches import nearest_places


def embeddings(count: int, seed: int, dim: int = 8) -> tuple[Tensor, Tensor]:
    """Drone and tile: a tile is its drone's neighbour, other places are anywhere."""
    generator = torch.Generator().manual_seed(seed)
    drone = torch.randn(count, dim, generator=generator)
    return F.normalize(drone), F.normalize(drone + 0.3 * torch.randn(count, dim, generator=generator))


def table_of(count: int, seed: int, nearest: int) -> NDArray[np.int32]:
    return nearest_places(*embeddings(count, seed), np.arange(count), count=count, nearest=nearest)
