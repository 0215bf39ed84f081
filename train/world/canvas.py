"""Three pictures of one place that grow together: colour without light, texture strength, height above ground."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from runtime.types import FloatArray, FloatImage, Mask
from train.world.covers import Paint
from train.world.plan import Strip, band, lengths, part

_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates


class CanvasWindow(NamedTuple):
    """A part of the canvas about an object, with the object's own coordinates."""

    rows: slice
    columns: slice
    along_m: FloatImage  # (h, w) metres from the object's middle, along its length
    across_m: FloatImage  # (h, w) along its width


class Canvas:
    """Pictures of a ``width_m`` x ``height_m`` world that are painted together; ``gsd_m`` ground metres a pixel."""

    def __init__(self, width_m: float, height_m: float, gsd_m: float) -> None:
        """Make blank pictures of bare, flat ground."""
        self.gsd_m = gsd_m
        self.shape = round(height_m / gsd_m), round(width_m / gsd_m)
        self.colour = np.zeros((*self.shape, 3), np.uint8)
        self.rough = np.zeros(self.shape, np.uint8)  # per cent by which texture changes the colour
        self.height = np.zeros(self.shape, np.float32)  # metres

    def fill(self, outline: FloatArray, paint: Paint, height_m: float | None = None) -> None:
        """Paint a polygon; ``height_m`` None leaves the height as it is."""
        corners = [np.rint((outline / self.gsd_m - 0.5) * (1 << _SHIFT)).astype(np.int32)]
        cv2.fillPoly(self.colour, corners, paint.rgb, cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(self.rough, corners, paint.rough, cv2.LINE_8, _SHIFT)
        if height_m is not None:
            cv2.fillPoly(self.height, corners, height_m, cv2.LINE_8, _SHIFT)

    def draw(self, strip: Strip, paint: Paint, widen_m: float = 0.0) -> None:
        """Paint a band along a line, dashed if it says so."""
        height_m = strip.height_m or None
        for piece in _pieces(strip):
            self.fill(band(piece, strip.width_m + widen_m), paint, height_m)

    def window(
        self, x: float, y: float, along_rad: float, half_length_m: float, half_width_m: float
    ) -> CanvasWindow | None:
        """Return the pixels around a turned rectangle; None where it lies outside."""
        c, s = np.cos(along_rad), np.sin(along_rad)
        reach_x = abs(c) * half_length_m + abs(s) * half_width_m + self.gsd_m
        reach_y = abs(s) * half_length_m + abs(c) * half_width_m + self.gsd_m
        columns, rows = self._span(x, reach_x, self.shape[1]), self._span(y, reach_y, self.shape[0])
        if columns.stop <= columns.start or rows.stop <= rows.start:
            return None
        dx = ((np.arange(columns.start, columns.stop) + 0.5) * self.gsd_m - x).astype(np.float32)
        dy = ((np.arange(rows.start, rows.stop) + 0.5) * self.gsd_m - y).astype(np.float32)[:, None]
        return CanvasWindow(
            rows, columns, dx * np.float32(c) + dy * np.float32(s), dy * np.float32(c) - dx * np.float32(s)
        )

    def _span(self, centre_m: float, reach_m: float, size_px: int) -> slice:
        """Return the pixels within ``reach_m`` of a place along one axis."""
        first = int(np.floor((centre_m - reach_m) / self.gsd_m))
        last = int(np.ceil((centre_m + reach_m) / self.gsd_m)) + 1
        return slice(max(first, 0), min(last, size_px))

    def mask(self, outline: FloatArray) -> tuple[slice, slice, Mask] | None:
        """Return the pixels inside a polygon, in the window that holds it; None where it lies outside."""
        low, high = outline.min(axis=0), outline.max(axis=0)
        centre, reach = (low + high) / 2, (high - low) / 2
        columns, rows = self._span(centre[0], reach[0], self.shape[1]), self._span(centre[1], reach[1], self.shape[0])
        if columns.stop <= columns.start or rows.stop <= rows.start:
            return None
        inside = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        corners = outline / self.gsd_m - 0.5 - (columns.start, rows.start)
        cv2.fillPoly(inside, [np.rint(corners * (1 << _SHIFT)).astype(np.int32)], 1, cv2.LINE_8, _SHIFT)
        return rows, columns, inside.astype(bool)


def _pieces(strip: Strip) -> list[FloatArray]:
    """Cut a strip's line into what is painted of it."""
    total = float(lengths(strip.points)[-1])
    start, end = strip.trim_m[0], total - strip.trim_m[1]
    if end - start < 0.2:
        return []
    if strip.dash_m is None:
        return [part(strip.points, start, end)]
    painted, free = strip.dash_m
    return [part(strip.points, at, min(at + painted, end)) for at in np.arange(start, end - 0.1, painted + free)]
