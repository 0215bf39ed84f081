"""A data set of pairs from several sources: the same (seed, epoch, scene), the same pixels, any worker count."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from copy import copy
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from runtime.errors import DataError, SkyfixError
from runtime.model.preprocess import encoder_input
from train.data.batch import Batch
from train.data.source import Footprint, PairSource, Views, Weighted
from train.render.augment import augment

_SITES = 1_000_000  # more than a source has


class Item(NamedTuple):
    """A scene that a sampler asks for; the epoch travels with it, so that it reaches persistent workers."""

    epoch: int
    scene: int


class PairDataset(Dataset[Batch]):
    """A data set of drone frame, tile and place for every scene of several sources."""

    def __init__(self, sources: Sequence[PairSource], *, seed: int, side_px: int, strength: float) -> None:
        """Number the scenes of ``sources``; ``strength`` 0..1 is how much light, season and sensor change."""
        per_source_names = [source.places for source in sources]
        self._scenes = [
            (s, index) for s, names in zip(sources, per_source_names, strict=True) for index in range(len(names))
        ]
        self._source_numbers = [number for number, names in enumerate(per_source_names) for _ in names]
        self.names = list(chain.from_iterable(per_source_names))  # what a person knows each place by
        numbers = {name: number for number, name in enumerate(dict.fromkeys(self.names))}
        self.places: list[int] = [numbers[name] for name in self.names]
        weights = [source.weight if isinstance(source, Weighted) else 1.0 for source in sources]
        self.weights: list[float] = [weights[number] for number in self._source_numbers]
        self._seed = seed
        self._side_px = side_px
        self._strength = strength
        self._beside = True

    def alone(self) -> PairDataset:
        """Return the same scenes without places beside them."""
        other = copy(self)
        other._beside = False
        return other

    def resized(self, side_px: int) -> PairDataset:
        """Return the same scenes at another side."""
        other = copy(self)
        other._side_px = side_px
        return other

    def __len__(self) -> int:
        return len(self._scenes)

    def __getitem__(self, item: Item) -> Batch:
        """Return one pair, or two where the scene is shown with a place beside it; see :func:`collate`."""
        views = self.views(item)
        pairs, places = [views], [self.places[item.scene]]
        if views.beside is not None:
            pairs.append(views.beside)
            places.append(-1 - places[0])
        return Batch(
            torch.from_numpy(np.stack([pair.drone for pair in pairs])),
            torch.from_numpy(np.stack([pair.tile for pair in pairs])),
            torch.tensor(places),
            torch.stack([self._ground(item.scene, pair.footprint) for pair in pairs]),
            torch.tensor([item.scene] * len(pairs)),
        )

    def views(self, item: Item) -> Views:
        """Return drone frame and tile, both (S, S, 3), as the encoder reads them; raises DataError."""
        source, index = self._scenes[item.scene]
        rng = np.random.default_rng((self._seed, item.epoch, item.scene))
        try:
            views = source.render(index, rng, self._side_px)
        except SkyfixError as error:  # one kind for the trainer to meet
            raise DataError(str(error)) from None
        changed = self._changed(views, rng)
        if views.beside is None or not self._beside:
            return changed._replace(beside=None)
        return changed._replace(beside=self._changed(views.beside, rng))

    def _changed(self, views: Views, rng: np.random.Generator) -> Views:
        """Return a pair under another light each, as the encoder reads it."""
        drone = encoder_input(augment(views.drone, rng, self._strength), views.drone_seen, self._side_px)
        tile = encoder_input(augment(views.tile, rng, self._strength), None, self._side_px)
        return views._replace(drone=drone, tile=tile)

    def _ground(self, scene: int, footprint: Footprint | None) -> Tensor:  # (4,)
        """Return the footprint as a row of a batch; sites of several sources get numbers apart."""
        if footprint is None:
            return torch.full((4,), torch.nan, dtype=torch.float64)
        site = self._source_numbers[scene] * _SITES + footprint.site
        return torch.tensor([site, *footprint[1:]], dtype=torch.float64)


def collate(items: Sequence[Batch]) -> Batch:
    """Join the pairs of several scenes to one batch; a DataLoader wants it as ``collate_fn``."""
    return Batch(*(torch.cat(rows) for rows in zip(*items, strict=True)))


def prepare_worker(_worker: int) -> None:
    """Keep a worker to one thread and deaf to Ctrl-C: the trainer finishes the step with what workers deliver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
