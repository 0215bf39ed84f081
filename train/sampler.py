"""Which scenes meet in a batch: each place at most once, so that every off-diagonal pair is a true negative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from runtime.errors import DataError
from train.data.dataset import Item


class PlaceSampler(Sampler[list[Item]]):
    """Endless batches in an order that depends on the seed alone; ``start`` skips batches of an earlier run."""

    def __init__(self, places: Sequence[int], batch: int, *, seed: int, start: int = 0) -> None:
        """``places[i]`` is the place of scene ``i``; raises DataError when a batch cannot be filled."""
        count = len(set(places))
        if batch > count:
            raise DataError(
                f"a batch of {batch} needs {batch} different places; the data has {count} "
                f"({len(places)} scenes): give more with --data, or a smaller --batch"
            )
        self._places = np.asarray(places)
        self._batch = batch
        self._seed = seed
        self._start = start
        self.batches_per_epoch = count // batch

    def __iter__(self) -> Iterator[list[Item]]:
        epoch, skip = divmod(self._start, self.batches_per_epoch)
        while True:
            yield from self.epoch(epoch)[skip:]
            epoch, skip = epoch + 1, 0

    def epoch(self, epoch: int) -> list[list[Item]]:
        """The batches of one epoch: one random scene of each place, in random order; a remainder is left out."""
        rng = np.random.default_rng((self._seed, epoch))
        order = rng.permutation(len(self._places))
        _, first = np.unique(self._places[order], return_index=True)
        chosen = rng.permutation(order[first])
        whole = self.batches_per_epoch * self._batch
        return [[Item(epoch, int(i)) for i in row] for row in chosen[:whole].reshape(-1, self._batch)]
