"""An encoder's retrieval scores on pairs of views, the same for a run's validation and for a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.dataset import Item, PairDataset
from train.encoder import Encoder
from train.retrieval import Scores, score

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # (B, S, S, 3) RGB -> (B, D) unit-norm

VIEWS_SEED = 20_170  # held-out views are the same for every run, whatever its seed
_BATCH = 32


def score_views(
    embed: Embed, views: PairDataset, tick: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Scores, Scores]:
    """Drone to tile, and tile to drone, on the views of epoch 0; no test-time flips."""
    drones, tiles = [], []
    for start in range(0, len(views), _BATCH):
        scenes = range(start, min(start + _BATCH, len(views)))
        drawn = [views.views(Item(0, scene)) for scene in scenes]
        drones.append(embed(np.stack([v.drone for v in drawn])))
        tiles.append(embed(np.stack([v.tile for v in drawn])))
        tick(scenes.stop, len(views))
    return _both_ways(np.concatenate(drones), np.concatenate(tiles), views.places)


def _both_ways(
    drone: NDArray[np.float32],  # (N, D)
    tile: NDArray[np.float32],  # (N, D)
    places: Sequence[int],  # (N,)
) -> tuple[Scores, Scores]:
    labels = np.asarray(places, np.int64)
    return score(drone, tile, labels, labels), score(tile, drone, labels, labels)


def embed_with(encoder: Encoder) -> Embed:
    """The encoder as a function of bytes; in eval mode for each call, then in the mode it was in."""
    device = encoder.mean.device

    @torch.inference_mode()
    def embed(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        was_training = encoder.training
        encoder.eval()
        rows: NDArray[np.float32] = encoder(torch.from_numpy(pictures).to(device)).cpu().numpy()
        encoder.train(was_training)
        return rows

    return embed
