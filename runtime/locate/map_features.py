"""Keypoints of the map, found once a block and kept: a frame only pays for its own."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.geo.mercator import Metres
from runtime.locate.features import LocalFeatures
from runtime.locate.limits import FEATURES
from runtime.maps.imagery import Imagery

BLOCK_PX = 512
_MARGIN_PX = 32  # context around a block, so that its edges see what lies beyond
_KEPT_BLOCKS = 256  # some 0.5 MB each


@dataclass(frozen=True, slots=True)
class MapPoints:
    """Keypoints at places."""

    place_m: NDArray[np.float64]  # (N, 2) Web Mercator metres
    descriptor: NDArray[np.float32]  # (N, 64)


class MapFeatures:
    """Keypoints of the imagery on a ladder of resolutions, sqrt(2) apart."""

    def __init__(self, imagery: Imagery, features: LocalFeatures) -> None:
        self._imagery = imagery
        self._features = features
        self._least_px = round(FEATURES.min_patch_share * features.patch_px)
        self._points_a_block = round(FEATURES.points_a_map_patch * (BLOCK_PX / features.patch_px) ** 2)
        self._blocks: OrderedDict[tuple[int, int, int], MapPoints] = OrderedDict()

    def metres_per_px(self, rung: int) -> float:
        """Return Web Mercator metres a pixel; rung 0 is the imagery's own resolution."""
        return self._imagery.metres_per_px * math.pow(2.0, rung / 2)

    def rung_for(self, side_m: float) -> int:
        """Return the finest rung on which ``side_m`` Web Mercator metres are at most a patch's pixels.

        Where the imagery itself has too few pixels for a patch, it is enlarged: features need some size to be seen.
        """
        native_px = side_m / self._imagery.metres_per_px
        if native_px < self._least_px:
            return max(FEATURES.finest_rung, math.floor(2 * math.log2(native_px / self._least_px)))
        return max(0, math.ceil(2 * math.log2(native_px / self._features.patch_px)))

    def around(self, centre: Metres, side_m: float, rung: int) -> MapPoints:
        """Find the keypoints in a square of ``side_m`` Web Mercator metres."""
        block_m = BLOCK_PX * self.metres_per_px(rung)
        columns = range(
            math.floor((centre.x - side_m / 2) / block_m), math.floor((centre.x + side_m / 2) / block_m) + 1
        )
        rows = range(math.floor((centre.y - side_m / 2) / block_m), math.floor((centre.y + side_m / 2) / block_m) + 1)
        blocks = [self._block(rung, column, row) for row in rows for column in columns]
        place_m = np.concatenate([b.place_m for b in blocks])
        inside = (np.abs(place_m - np.array(centre)) <= side_m / 2).all(axis=1)
        return MapPoints(place_m[inside], np.concatenate([b.descriptor for b in blocks])[inside])

    def _block(self, rung: int, column: int, row: int) -> MapPoints:
        key = (rung, column, row)
        if key not in self._blocks:
            self._blocks[key] = self._detect(rung, column, row)
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _detect(self, rung: int, column: int, row: int) -> MapPoints:
        step, side_px = self.metres_per_px(rung), BLOCK_PX + 2 * _MARGIN_PX
        centre = Metres((column + 0.5) * BLOCK_PX * step, (row + 0.5) * BLOCK_PX * step)
        picture, seen = self._imagery.window(centre, side_px * step, side_px)
        if not seen.any():
            return MapPoints(np.empty((0, 2)), np.empty((0, 64), np.float32))
        found = self._features.detect(picture, seen, self._points_a_block)
        offset_px = found.xy.astype(np.float64) - (side_px - 1) / 2
        own = (np.abs(offset_px) <= BLOCK_PX / 2).all(axis=1)
        place_m = np.array(centre) + offset_px[own] * (step, -step)
        return MapPoints(place_m, found.descriptor[own])
