"""From data sources to what a loader batches: the same (seed, epoch, scene), the same pixels, any worker count."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from runtime.model.preprocess import encoder_input
from train.augment import augment
from train.data.source import PairSource, Picture


class Item(NamedTuple):
    """What a sampler asks for; the epoch travels with it, so that it reaches persistent workers."""

    epoch: int
    scene: int


class PairDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Drone frame, tile and place of every scene of several sources."""

    def __init__(self, sources: Sequence[PairSource], *, seed: int, side_px: int, strength: float) -> None:
        self._scenes = [(source, index) for source in sources for index in range(len(source.places))]
        names = [source.places[index] for source, index in self._scenes]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self.places: list[int] = [numbers[name] for name in names]
        self._seed = seed
        self._side_px = side_px
        self._strength = strength

    def resized(self, side_px: int) -> PairDataset:
        """The same scenes at another side."""
        other = copy(self)
        other._side_px = side_px
        return other

    def __len__(self) -> int:
        return len(self._scenes)

    def __getitem__(self, item: Item) -> tuple[Tensor, Tensor, Tensor]:
        drone, tile = self.pictures(item)
        return torch.from_numpy(drone), torch.from_numpy(tile), torch.tensor(self.places[item.scene])

    def pictures(self, item: Item) -> tuple[Picture, Picture]:
        """Drone frame and tile, both (S, S, 3), as the encoder reads them; raises DataError."""
        source, index = self._scenes[item.scene]
        rng = np.random.default_rng((self._seed, item.epoch, item.scene))
        views = source.render(index, rng, self._side_px)
        drone = augment(views.drone, rng, self._strength)
        tile = augment(views.tile, rng, self._strength)
        return encoder_input(drone, views.drone_seen, self._side_px), encoder_input(tile, None, self._side_px)


def prepare_worker(_worker: int) -> None:
    """One thread a worker, and a Ctrl-C left to the trainer, who finishes the step with what workers deliver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
