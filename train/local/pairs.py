"""Pairs of views with the tile's pixel known for each of the drone's, and a teacher's keypoints of the tile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from runtime.errors import DataError
from runtime.locate.features import LocalFeatures
from runtime.model.bundle import Bundle
from runtime.model.preprocess import encoder_input
from train.data.source import PairSource
from train.render.augment import augment


class MatchedPair(NamedTuple):
    """One pair of views with its warp, or a batch of them."""

    drone: Tensor  # (B, S, S, 3) uint8
    tile: Tensor  # (B, S, S, 3) uint8
    tile_from_drone: Tensor  # (B, S, S, 2) float32 pixels of the tile; NaN where the camera saw nothing
    taught_drone: Tensor  # (B, S, S) float32 keypoint probability by the teacher, carried over from the tile
    taught_tile: Tensor  # (B, S, S) float32


class MatchedPairs(Dataset[MatchedPair]):
    """A data set of scenes at random, a function of (seed, number) alone.

    The teacher sees the tile as it is, before light and season are changed: what it marks there, the network must mark
    in both views whatever was done to them.
    """

    def __init__(
        self, sources: Sequence[PairSource], *, seed: int, side_px: int, strength: float, count: int, teacher: Path
    ) -> None:
        """Number the scenes of ``sources``; the teacher is opened in the process that uses it."""
        self._scenes = [(source, index) for source in sources for index in range(len(source.places))]
        self._seed, self._side_px, self._strength, self._count = seed, side_px, strength, count
        self._teacher = teacher
        self._features: LocalFeatures | None = None  # opened in the process that uses it

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> MatchedPair:
        """Render a pair; raises DataError where its warp is not known."""
        rng = np.random.default_rng((self._seed, number))
        source, index = self._scenes[int(rng.integers(len(self._scenes)))]
        views = source.render(index, rng, self._side_px)
        if views.tile_from_drone is None:
            raise DataError(
                f"the warp between the two views of {source.places[index]} is not known; train.local takes overhead:, "
                "site:, world: and registered pairs:"
            )
        warp = np.where(views.drone_seen[..., None], views.tile_from_drone, np.float32(np.nan))
        taught = self._taught(views.tile)
        drone = encoder_input(augment(views.drone, rng, self._strength), views.drone_seen, self._side_px)
        tile = augment(views.tile, rng, self._strength)
        columns, rows = np.moveaxis(np.nan_to_num(warp, nan=-1e4), 2, 0).astype(np.float32)
        carried = cv2.remap(taught, columns, rows, cv2.INTER_LINEAR)
        parts = drone, tile, warp, carried, taught
        return MatchedPair(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))

    def _taught(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:  # (S, S)
        """Return the teacher's keypoint probability of each pixel, as far as it is to be trusted."""
        if self._features is None:
            self._features = LocalFeatures(Bundle.open(self._teacher, "matcher"), threads=1)
        _, keypoint, reliability = self._features.dense(picture)
        trusted = cv2.resize(reliability[0], picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(keypoint[0] * trusted, np.float32)


def collate(pairs: Sequence[MatchedPair]) -> MatchedPair:
    """Stack pairs to one batch."""
    return MatchedPair(*(torch.stack(parts) for parts in zip(*pairs, strict=True)))
