"""Windows cut from a raster that neighbours share: each is read from the map once, not sixteen times."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geo.mercator import Metres
from runtime.maps.imagery import Imagery
from runtime.tiles.windows import Grid, Window
from runtime.types import Mask, Picture

OVERSAMPLED = 2  # a window is cut to the nearest pixel of the raster, a quarter of one of its own at most
_MOST_PX = 4096  # across a raster
_WHOLLY_SEEN = 250  # of 255


class WindowCutter:
    """Reads the windows of one level, fastest in the order of the curve."""

    def __init__(self, imagery: Imagery, grid: Grid, side_px: int) -> None:
        self._imagery, self._grid, self._side_px = imagery, grid, side_px
        self._cut_px = OVERSAMPLED * side_px
        strides = (_MOST_PX / self._cut_px - 1) * grid.footprint_m / grid.stride_m  # that a raster may hold beside one
        self._across = next((n for n in (8, 4, 2) if n - 1 <= strides), 1)  # windows
        self._held: tuple[int, int] | None = None

    def cut(self, window: Window) -> tuple[Picture, Mask]:
        """(side_px, side_px, 3) RGB, and (side_px, side_px) where the map has something."""
        cell = window.row // self._across, window.column // self._across
        if cell != self._held:
            self._read(*cell)
            self._held = cell
        left = (window.centre.x - window.side_m / 2 - self._corner.x) / self._px_m
        top = (self._corner.y - window.centre.y - window.side_m / 2) / self._px_m
        last = len(self._picture) - self._cut_px
        x, y = (min(max(round(at), 0), last) for at in (left, top))
        size = (self._side_px, self._side_px)
        part = slice(y, y + self._cut_px), slice(x, x + self._cut_px)
        picture = np.asarray(cv2.resize(self._picture[part], size, interpolation=cv2.INTER_AREA), np.uint8)
        if self._whole:
            return picture, np.ones(size, np.bool_)
        seen = cv2.resize(self._seen[part], size, interpolation=cv2.INTER_AREA)
        return picture, np.asarray(seen) > _WHOLLY_SEEN

    def _read(self, row: int, column: int) -> None:
        """The raster of a cell of windows; its place follows from the grid alone, not from the map's box."""
        first, last = (
            self._grid.window(row * self._across + i, column * self._across + i) for i in (0, self._across - 1)
        )
        side_m = max(first.side_m, last.side_m)
        self._px_m = side_m / self._cut_px
        width_m, height_m = last.centre.x - first.centre.x + side_m, last.centre.y - first.centre.y + side_m
        raster_px = round(max(width_m, height_m) / self._px_m) + 2
        raster_m = raster_px * self._px_m
        self._corner = Metres(first.centre.x - side_m / 2 - self._px_m, last.centre.y + side_m / 2 + self._px_m)
        middle = Metres(self._corner.x + raster_m / 2, self._corner.y - raster_m / 2)
        self._picture, seen = self._imagery.window(middle, raster_m, raster_px)
        self._whole = bool(seen.all())
        self._seen: NDArray[np.uint8] = seen.astype(np.uint8) * np.uint8(255)
