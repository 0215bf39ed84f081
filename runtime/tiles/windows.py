"""One grid of windows for the whole Earth: any part of a map gives the same windows in the same order, whoever cuts it.

A level's rows lie a stride apart on the ground, counted from the equator. 16 of them are a band; all its rows have the
same number of columns round the Earth, so many that they are a stride apart or a little less where the band is longest.
16 by 16 windows are a block. Rows of a cache are ordered by level, then along a Z-order curve: of the blocks'
places on the Web Mercator map (columns of two bands do not lie under each other), and of the windows in a block.
Ground metres are those of Web Mercator's sphere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.geo.bounds import Bounds
from runtime.geo.mercator import HALF_WORLD_M, RADIUS_M, LatLon, Metres, to_latlon

BLOCK = 16  # windows a side
_WORLD_M = 2 * HALF_WORLD_M
_OFF_GRID = 0.01  # strides
_CURVE_BITS = 26  # the Earth's circle in steps of 0.6 m: no two blocks share one


class Block(NamedTuple):
    """16 by 16 windows of a level; ``row`` grows northwards from the equator, ``column`` eastwards from 180 W."""

    level: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Window:
    """A square of ground to embed."""

    level: int
    row: int  # of the level, northwards from the equator
    column: int  # eastwards from 180 W
    place: LatLon  # of its centre; the same bits whatever map it is cut from
    centre: Metres  # x from -HALF_WORLD_M to HALF_WORLD_M: near the 180th meridian the square reaches beyond
    side_m: float  # in Web Mercator metres


@dataclass(frozen=True, slots=True)
class Grid:
    """The windows of one level."""

    level: int
    footprint_m: float
    stride_m: float

    def blocks(self, *boxes: Bounds) -> list[Block]:
        """Return the blocks that may have a window whose centre is in one of the boxes, along the curve."""
        found = list(dict.fromkeys(block for box in boxes for block in self._touching(box)))
        if not found:
            return []
        order = np.argsort(self._curve(*np.array([(b.row, b.column) for b in found]).T), kind="stable")
        return [found[i] for i in order]

    def _touching(self, bounds: Bounds) -> Iterator[Block]:
        low, high = (
            math.floor(math.radians(to_latlon(Metres(0.0, y)).lat) * RADIUS_M / self.stride_m) // BLOCK
            for y in (bounds.south, bounds.north)
        )
        bands = np.arange(low, high + 1)
        for band, count in zip(bands.tolist(), self._columns(bands).tolist(), strict=True):
            first, last = (math.floor((x + HALF_WORLD_M) / _WORLD_M * count) for x in (bounds.west, bounds.east))
            around = count // BLOCK
            across = range(first // BLOCK, min(last // BLOCK, first // BLOCK + around - 1) + 1)
            yield from (Block(self.level, band, column % around) for column in across)

    def place_along_curve(self, blocks: Sequence[Block]) -> NDArray[np.int64]:  # (N,)
        """Return the first of the keys of :meth:`order` that all windows of each block share."""
        rows, columns = np.array([(block.row, block.column) for block in blocks], np.int64).reshape(-1, 2).T
        return self._curve(rows, columns)

    def count(self, block: Block, bounds: Bounds) -> int:
        """Return how many windows a block has in a box."""
        return int(self._inside(block, bounds).sum())

    def windows(self, block: Block, bounds: Bounds) -> list[Window]:
        """Return the windows of a block whose whole square lies in a box, along the curve."""
        inside = self._inside(block, bounds)
        rows, columns = block.row * BLOCK + _ROW[inside], block.column * BLOCK + _COLUMN[inside]
        return [self.window(row, column) for row, column in zip(rows.tolist(), columns.tolist(), strict=True)]

    def centres(self, block: Block, bounds: Bounds) -> NDArray[np.float64]:  # (N, 2) lat, lon
        """Return the places of a block's windows in a box, along the curve, to the last bit but one."""
        inside = self._inside(block, bounds)
        rows, columns = block.row * BLOCK + _ROW[inside], block.column * BLOCK + _COLUMN[inside]
        around = int(self._columns(np.array([block.row]))[0])
        return np.column_stack([np.degrees(rows * (self.stride_m / RADIUS_M)), columns / around * 360.0 - 180.0])

    def window(self, row: int, column: int) -> Window:
        """Make the window at a row and a column of the level."""
        lat = row * self.stride_m / RADIUS_M
        east = column / int(self._columns(np.array([row // BLOCK]))[0])  # of 180 W, in turns
        place = LatLon(math.degrees(lat), east * 360.0 - 180.0)
        centre = Metres(east * _WORLD_M - HALF_WORLD_M, math.asinh(math.tan(lat)) * RADIUS_M)
        return Window(self.level, row, column, place, centre, self.footprint_m / math.cos(lat))

    def order(
        self,
        places: NDArray[np.float64],  # (N, 2) lat, lon of windows' centres
    ) -> NDArray[np.int64]:  # (N, 2)
        """Return keys that sort windows as a cache does, the first column first; equal for one window alone.

        Raises ValueError where a place is no window's centre.
        """
        row = np.radians(places[:, 0]) * RADIUS_M / self.stride_m
        band = np.rint(row).astype(np.int64) // BLOCK
        count = self._columns(band)
        column = (places[:, 1] + 180.0) / 360.0 * count
        if (np.abs(row - np.rint(row)) > _OFF_GRID).any() or (np.abs(column - np.rint(column)) > _OFF_GRID).any():
            raise ValueError(f"places are not those of tiles every {self.stride_m:g} m")
        north, east = np.rint(row).astype(np.int64), np.rint(column).astype(np.int64) % count
        return np.stack([self._curve(band, east // BLOCK), _z_order(east % BLOCK, north % BLOCK)], axis=1)

    def _columns(self, band: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many windows each row of blocks has, round the Earth."""
        lat = np.stack([band * BLOCK, (band + 1) * BLOCK - 1]) * (self.stride_m / RADIUS_M)
        around = np.ceil(np.cos(lat).max(axis=0) * (_WORLD_M / (BLOCK * self.stride_m)))
        return np.asarray(BLOCK * np.maximum(around, 1).astype(np.int64))

    def _inside(self, block: Block, bounds: Bounds) -> NDArray[np.bool_]:  # (BLOCK * BLOCK,) along the curve
        lat = (block.row * BLOCK + np.arange(BLOCK)) * (self.stride_m / RADIUS_M)
        y, half = np.arcsinh(np.tan(lat)) * RADIUS_M, self.footprint_m / np.cos(lat) / 2
        x = (block.column * BLOCK + np.arange(BLOCK)) * (_WORLD_M / self._columns(np.array([block.row]))) - HALF_WORLD_M
        from_west, half_x = (x - bounds.west) % _WORLD_M, half[:, None]
        rows = (np.abs(lat) < math.pi / 2) & (y - half >= bounds.south) & (y + half <= bounds.north)
        columns = (from_west >= half_x) & (from_west <= bounds.east - bounds.west - half_x)
        return np.asarray((rows[:, None] & columns)[_ROW, _COLUMN])

    def _curve(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the keys that order blocks along a curve over the whole Web Mercator map."""
        east = (column + 0.5) * BLOCK / self._columns(row)  # of 180 W, in turns
        north = np.arcsinh(np.tan((row + 0.5) * (BLOCK * self.stride_m / RADIUS_M))) / (2 * math.pi) + 0.5
        return _z_order(*((share * (1 << _CURVE_BITS)).astype(np.int64) for share in (east, north)))


def windows_over(bounds: Bounds, level: int, footprint_m: float, stride_m: float) -> list[Window]:
    """Return all windows of a level in a box, in the order of a cache."""
    grid = Grid(level, footprint_m, stride_m)
    return [window for block in grid.blocks(bounds) for window in grid.windows(block, bounds)]


def _z_order(
    x: NDArray[np.int64],  # (N,) of _CURVE_BITS bits
    y: NDArray[np.int64],  # (N,)
) -> NDArray[np.int64]:  # (N,)
    """Interleave the bits of ``x`` and ``y`` (Morton code)."""
    code = np.zeros_like(x)
    for bit in range(_CURVE_BITS):
        code |= (x >> bit & 1) << 2 * bit | (y >> bit & 1) << 2 * bit + 1
    return code


_AT = np.argsort(_z_order(*np.divmod(np.arange(BLOCK * BLOCK), BLOCK)[::-1]), kind="stable")
_ROW, _COLUMN = np.divmod(_AT, BLOCK)  # of the windows of a block, along the curve
