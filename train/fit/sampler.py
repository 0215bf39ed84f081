"""The choice of scenes that meet in a batch: each place at most once, so that all other pairs are true negatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from runtime.errors import DataError
from train.data.dataset import Item
from train.fit.hard_batches import hard_batches

_PARTS = 10_000  # of a weight: in whole numbers no rounding can put a place into a batch twice


class PlaceSampler(Sampler[list[Item]]):
    """An endless iterator of batches, which follow from the arguments alone; ``start`` skips those of an earlier run.

    In an epoch each place is drawn once, or as often as its weight says, and shows a random one of its scenes. What
    does not fill a batch is left out, another part of the data each epoch: a smaller last batch would have fewer
    negatives and so another loss, and a batch across two epochs could hold a place twice.
    """

    def __init__(
        self,
        places: Sequence[int],  # of each scene
        batch: int,
        *,
        seed: int,
        start: int = 0,
        weights: Sequence[float] | None = None,
        neighbours: NDArray[np.int32] | None = None,
    ) -> None:
        """Count the draws of each place; raises DataError when a batch cannot be filled.

        ``weights`` (one a scene): draws of its place in an epoch; 2 is twice, never in one batch, and 0.5 every other
        epoch by chance. ``neighbours`` (P, R), of :func:`train.fit.hard_batches.nearest_places`: batches of
        places that look alike.
        """
        names, self._place_of = np.unique(places, return_inverse=True)
        self._places, self._batch, self._seed, self._start = len(names), batch, seed, start
        self._neighbours = neighbours
        of_scenes = np.ones(len(places)) if weights is None else np.asarray(weights, np.float64)
        if not (of_scenes > 0).all():
            raise DataError(f"a weight of {of_scenes.min()} draws nothing; leave that --data out, or weigh it above 0")
        heaviest = np.zeros(self._places)
        np.maximum.at(heaviest, self._place_of, of_scenes)
        wanted = np.maximum(np.rint(heaviest * _PARTS), 1).astype(np.int64)
        self.batches_per_epoch = _whole_batches(wanted, batch)
        if self.batches_per_epoch == 0:
            drawn = np.minimum(wanted, _PARTS).sum() / _PARTS
            fewer = f", of which an epoch draws {drawn:.4g} by weight" if drawn < self._places else ""
            raise DataError(
                f"a batch of {batch} needs {batch} different places; the data has {self._places} ({len(places)} scenes)"
                f"{fewer}: give more with --data, or a --batch of at most {int(drawn)}"
            )
        self._wanted = np.minimum(wanted, self.batches_per_epoch * _PARTS)

    def __iter__(self) -> Iterator[list[Item]]:
        epoch, skip = divmod(self._start, self.batches_per_epoch)
        while True:
            yield from self.epoch(epoch)[skip:]
            epoch, skip = epoch + 1, 0

    def epoch(self, epoch: int) -> list[list[Item]]:
        """Return the batches of one epoch."""
        rng = np.random.default_rng((self._seed, epoch))
        order = rng.permutation(self._places)
        times = self._times(order, rng)
        if self._neighbours is None:
            dealt = np.repeat(order, times[order])  # like cards: repeats of a place go to batches beside each other
            rows = rng.permutation(dealt.reshape(self._batch, self.batches_per_epoch).T)
        else:
            rows = hard_batches(times, self._neighbours, self._batch, rng)
        return self._items(epoch, rows, rng)

    def _times(self, order: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:  # (P,)
        """Choose how often the epoch draws each place: its share of all draws, rounded down or up by chance.

        Systematic sampling: equally spaced pointers, from a random start, on the weights laid end to end.
        """
        draws = self.batches_per_epoch * self._batch
        ends = np.cumsum(self._wanted[order])
        pointers = np.arange(draws) * ends[-1] + rng.integers(ends[-1])
        times = np.zeros(self._places, np.int64)
        np.add.at(times, order[np.searchsorted(ends * draws, pointers, side="right")], 1)
        return times

    def _items(self, epoch: int, rows: NDArray[np.int64], rng: np.random.Generator) -> list[list[Item]]:
        """Choose a random scene of each place; one that is drawn again shows its next, in a pass of another number.

        Views are a function of pass and scene: a second draw of a scene within an epoch must not be the same pixels.
        """
        order = rng.permutation(len(self._place_of))
        order = order[np.argsort(self._place_of[order], kind="stable")]  # place after place, random within each
        count = np.bincount(self._place_of)
        first, shown = np.cumsum(count) - count, np.zeros_like(count)
        passes = -(-int(self._wanted.max()) // _PARTS)
        batches = []
        for row in rows:
            scenes, numbers = order[first[row] + shown[row] % count[row]], epoch * passes + shown[row]
            shown[row] += 1  # once each: a row holds no place twice
            batches.append(
                [Item(number, scene) for number, scene in zip(numbers.tolist(), scenes.tolist(), strict=True)]
            )
        return batches


def _whole_batches(wanted: NDArray[np.int64], batch: int) -> int:
    """Return the most batches n of different places that fill: those with ``sum(min(wanted, n)) >= n batch``."""
    most = int(wanted.sum()) // _PARTS // batch
    while (fewer := int(np.minimum(wanted, most * _PARTS).sum()) // _PARTS // batch) < most:
        most = fewer
    return most
