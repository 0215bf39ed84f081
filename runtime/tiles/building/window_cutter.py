"""Windows cut from a raster that neighbours share: each is read from the map once, not sixteen times."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from runtime.geo.mercator import Metres
from runtime.maps.imagery import WHOLLY_SEEN, Imagery
from runtime.tiles.windows import Grid, Window
from runtime.types import Mask, Picture

OVERSAMPLED = 2  # a window is cut to the nearest pixel of the raster, a quarter of one of its own at most
_MOST_PX = 4096  # across a raster


@dataclass(frozen=True, slots=True)
class _Raster:
    """Ground that a cell of windows shares."""

    picture: Picture  # (R, R, 3) RGB
    seen: Picture | None  # (R, R) 255 where the map has something; None where it has all
    corner: Metres  # north-western
    px_m: float  # Web Mercator metres a pixel

    def cut(self, window: Window, cut_px: int, side_px: int) -> tuple[Picture, Mask]:
        """Cut out the ``cut_px`` pixels nearest to a window, and shrink them to the encoder's side."""
        left = (window.centre.x - window.side_m / 2 - self.corner.x) / self.px_m
        top = (self.corner.y - window.centre.y - window.side_m / 2) / self.px_m
        last = len(self.picture) - cut_px
        x, y = (min(max(round(at), 0), last) for at in (left, top))
        size, part = (side_px, side_px), (slice(y, y + cut_px), slice(x, x + cut_px))
        picture = np.asarray(cv2.resize(self.picture[part], size, interpolation=cv2.INTER_AREA), np.uint8)
        if self.seen is None:
            return picture, np.ones(size, np.bool_)
        seen = cv2.resize(self.seen[part], size, interpolation=cv2.INTER_AREA)
        return picture, np.asarray(seen) > WHOLLY_SEEN


class WindowCutter:
    """Reads the windows of one level, fastest in the order of the curve; keeps the raster it cut from last."""

    def __init__(self, imagery: Imagery, grid: Grid, side_px: int) -> None:
        """``side_px`` is the encoder's side."""
        self._imagery, self._grid, self._side_px = imagery, grid, side_px
        self._cut_px = OVERSAMPLED * side_px
        strides = (_MOST_PX / self._cut_px - 1) * grid.footprint_m / grid.stride_m  # that a raster may hold beside one
        self._across = next((n for n in (8, 4, 2) if n - 1 <= strides), 1)  # windows
        self._held: tuple[tuple[int, int], _Raster] | None = None  # the cell, and its raster

    def cut(self, window: Window) -> tuple[Picture, Mask]:
        """Return (side_px, side_px, 3) RGB, and (side_px, side_px) where the map has something."""
        cell = window.row // self._across, window.column // self._across
        if self._held is None or self._held[0] != cell:
            self._held = cell, self._read(*cell)
        return self._held[1].cut(window, self._cut_px, self._side_px)

    def _read(self, row: int, column: int) -> _Raster:
        """Read the raster of a cell of windows; its place follows from the grid alone, not from the map's box."""
        first, last = (
            self._grid.window(row * self._across + i, column * self._across + i) for i in (0, self._across - 1)
        )
        side_m = max(first.side_m, last.side_m)
        px_m = side_m / self._cut_px
        width_m, height_m = last.centre.x - first.centre.x + side_m, last.centre.y - first.centre.y + side_m
        raster_px = round(max(width_m, height_m) / px_m) + 2
        raster_m = raster_px * px_m
        corner = Metres(first.centre.x - side_m / 2 - px_m, last.centre.y + side_m / 2 + px_m)
        middle = Metres(corner.x + raster_m / 2, corner.y - raster_m / 2)
        picture, seen = self._imagery.window(middle, raster_m, raster_px)
        mask = None if seen.all() else seen.astype(np.uint8) * np.uint8(255)
        return _Raster(picture, mask, corner, px_m)
