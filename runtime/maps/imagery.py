"""Map imagery as one MBTiles file: square windows of it, at any place, size and resolution.

MBTiles 1.3: SQLite, ``tiles(zoom_level, tile_column, tile_row, tile_data)``, rows counted from the south (TMS).
One zoom is stored. Tiles are JPEG where the map is whole and PNG with alpha where some of it is missing.
"""

from __future__ import annotations

import math
import sqlite3
import weakref
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from runtime.errors import ImageryError
from runtime.geo.bounds import Bounds
from runtime.geo.mercator import TILE_PX, Metres, Tile, metres_per_px, north_west_of
from runtime.integrity import MapGuard
from runtime.types import Mask, Picture

WHOLLY_SEEN = 250  # of 255: a pixel into which what is missing was mixed is darker than the ground
_PATCH = 8  # tiles a side
_KEPT_TILES = 512  # decoded, 256 kB each
_OVERVIEW_ABOVE = 8.0  # native pixels a pixel asked for: more, and tiles are shrunk before they are put together


class Imagery:
    """Reads windows from an MBTiles file; keeps the tiles it decoded last. One thread at a time."""

    def __init__(self, path: Path, *, corners: tuple[Tile, Tile] | None = None, guard: MapGuard | None = None) -> None:
        """Open for reading; raises ImageryError.

        ``corners`` are its north-western and south-eastern tile where they are known; ``guard`` checks what is read.
        """
        if not path.is_file():
            raise ImageryError(f"{path} is missing; build it with python -m runtime.tiles build")
        self.path = path
        try:
            self._db = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            weakref.finalize(self, self._db.close)  # Python 3.13 warns of a database that nobody closed
            self.metadata = dict(self._db.execute("SELECT name, value FROM metadata"))
            self.zoom = int(self._db.execute("SELECT MAX(zoom_level) FROM tiles").fetchone()[0])
            self._corners = corners or self._read_corners()
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise ImageryError(f"{path} is not an MBTiles file with pictures in it ({error})") from None
        self._guard = guard
        self._kept: OrderedDict[Tile, tuple[Picture, Mask] | None] = OrderedDict()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _read_corners(self) -> tuple[Tile, Tile]:
        """Find the north-western and south-eastern tile: the metadata's box is a hint that some writers leave out.

        A map that touches both edges of the world lies across the 180th meridian: it begins after its widest gap.
        """
        columns = "MIN(tile_column), MAX(tile_column), MIN(tile_row), MAX(tile_row)"
        left, right, bottom, top = self._db.execute(
            f"SELECT {columns} FROM tiles WHERE zoom_level = ?", (self.zoom,)
        ).fetchone()
        last = (1 << self.zoom) - 1
        if left == 0 and right == last:
            columns = "SELECT DISTINCT tile_column FROM tiles WHERE zoom_level = ? ORDER BY tile_column"
            held = np.array([column for (column,) in self._db.execute(columns, (self.zoom,))])
            widest = int(np.diff(held).argmax())
            if held[widest + 1] - held[widest] > 1:
                left, right = int(held[widest + 1]), int(held[widest]) + last + 1
        return Tile(self.zoom, left, last - top), Tile(self.zoom, right, last - bottom)

    @property
    def corners(self) -> tuple[Tile, Tile]:
        """North-western and south-eastern tile; across the 180th meridian the latter's x goes on counting."""
        return self._corners

    @property
    def bounds(self) -> Bounds:
        """The box of the stored tiles."""
        low, high = self._corners
        north_west, south_east = north_west_of(low), north_west_of(Tile(self.zoom, high.x + 1, high.y + 1))
        return Bounds(north_west.x, south_east.y, south_east.x, north_west.y)

    def patches(self, margin_m: float) -> list[Bounds]:
        """Return boxes of some tiles each that hold all stored ones, ``margin_m`` Web Mercator metres wider a side.

        Their area follows that of the map's pictures, however far these lie apart.
        """
        rows = (1 << self.zoom) // _PATCH
        found = self._db.execute(
            f"SELECT DISTINCT tile_column / {_PATCH}, tile_row / {_PATCH} FROM tiles WHERE zoom_level = ?", (self.zoom,)
        ).fetchall()
        boxes = []
        for column, row in found:
            north_west = north_west_of(Tile(self.zoom, column * _PATCH, (rows - 1 - row) * _PATCH))
            side_m = _PATCH * TILE_PX * self.metres_per_px
            west, north = north_west.x - margin_m, north_west.y + margin_m
            boxes.append(Bounds(west, north - side_m - 2 * margin_m, west + side_m + 2 * margin_m, north))
        return boxes

    @property
    def metres_per_px(self) -> float:
        """Web Mercator metres a pixel of the stored zoom."""
        return metres_per_px(self.zoom)

    def stored(self, tile: Tile) -> bytes | None:
        """Read a tile's bytes at the stored zoom, None where the map has none; raises ImageryError or CacheError."""
        at = (tile.z, tile.x, (1 << tile.z) - 1 - tile.y)
        if self._guard is not None:
            self._guard.check(self._db, *at)
        wanted = "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?"
        try:
            row = self._db.execute(wanted, at).fetchone()
        except sqlite3.DatabaseError as error:
            raise ImageryError(f"{self.path} is broken ({error}); build the map again") from None
        return None if row is None else row[0] or b""

    def _tile(self, tile: Tile) -> tuple[Picture, Mask] | None:
        if tile in self._kept:
            self._kept.move_to_end(tile)
            return self._kept[tile]
        data = self.stored(tile)
        decoded = None if data is None else decode_tile(data, f"{self.path} tile {tile.z}/{tile.x}/{tile.y}")
        self._kept[tile] = decoded
        if len(self._kept) > _KEPT_TILES:
            self._kept.popitem(last=False)
        return decoded

    def window(self, centre: Metres, side_m: float, side_px: int) -> tuple[Picture, Mask]:
        """Read a north-up square of ``side_m`` Web Mercator metres; it may reach over the 180th meridian.

        Returns (side_px, side_px, 3) RGB and (side_px, side_px) bool, False where the map has nothing.
        """
        native_px = side_m / self.metres_per_px
        nothing = np.zeros((side_px, side_px, 3), np.uint8), np.zeros((side_px, side_px), np.bool_)
        if native_px / side_px > 2 * TILE_PX:  # a whole tile is less than half a pixel
            return nothing
        shrink = _overview(native_px / side_px)
        native_px /= shrink
        crop_px = side_px if native_px < side_px else math.ceil(native_px)
        step = native_px / crop_px  # native pixels a crop pixel, at most 1
        left, top = (v / shrink for v in self._pixel_of(Metres(centre.x - side_m / 2, centre.y + side_m / 2)))
        mosaic, mask, (origin_x, origin_y) = self._mosaic(left, top, native_px, TILE_PX // shrink)
        if not mask.any():
            return nothing
        # Pixel centres at half pixels on both sides.
        shift = np.array([[step, 0.0, left - origin_x + step / 2 - 0.5], [0.0, step, top - origin_y + step / 2 - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (crop_px, crop_px)
        picture = cv2.warpAffine(mosaic, shift, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        seen = cv2.warpAffine(mask, shift, size, flags=flags)
        if crop_px != side_px:
            picture = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA)
            seen = cv2.resize(seen, (side_px, side_px), interpolation=cv2.INTER_AREA)
        return np.asarray(picture, np.uint8), np.asarray(seen) > WHOLLY_SEEN

    def _pixel_of(self, point: Metres) -> tuple[float, float]:
        """Return continuous pixel column and row of the whole world at the stored zoom."""
        corner = north_west_of(Tile(self.zoom, 0, 0))
        return (point.x - corner.x) / self.metres_per_px, (corner.y - point.y) / self.metres_per_px

    def _mosaic(self, left: float, top: float, side: float, tile_px: int) -> tuple[Picture, Picture, tuple[int, int]]:
        """Put whole tiles together that cover a square of pixels and a margin of one; return picture, mask, origin."""
        first_x, first_y = math.floor((left - 1) / tile_px), math.floor((top - 1) / tile_px)
        last_x, last_y = math.floor((left + side + 1) / tile_px), math.floor((top + side + 1) / tile_px)
        shape = ((last_y - first_y + 1) * tile_px, (last_x - first_x + 1) * tile_px)
        mosaic, mask = np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8)
        (low, high), around = self._corners, 1 << self.zoom
        held_x = [x for x in range(first_x, last_x + 1) if (x - low.x) % around <= high.x - low.x]
        for y in range(max(first_y, low.y), min(last_y, high.y) + 1):
            for x in held_x:
                found = self._tile(Tile(self.zoom, x % around, y))
                if found is not None:
                    rows = slice((y - first_y) * tile_px, (y - first_y + 1) * tile_px)
                    columns = slice((x - first_x) * tile_px, (x - first_x + 1) * tile_px)
                    mosaic[rows, columns] = _shrunk(found[0], tile_px)
                    mask[rows, columns] = _shrunk(found[1] * np.uint8(255), tile_px)
        return mosaic, mask, (first_x * tile_px, first_y * tile_px)


def _overview(ratio: float) -> int:
    """Choose how much to shrink tiles for a window far coarser than they are, so that it costs no more than others."""
    return 1 if ratio <= _OVERVIEW_ABOVE else min(1 << int(math.log2(ratio)), TILE_PX)


def _shrunk(picture: Picture, side_px: int) -> Picture:
    if len(picture) == side_px:
        return picture
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8)


def decode_tile(data: bytes, what: str) -> tuple[Picture, Mask]:
    """Decode RGB and where it shows something; raises ImageryError."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if picture is None or picture.dtype != np.uint8 or picture.shape[:2] != (TILE_PX, TILE_PX):
        raise ImageryError(f"{what} is not a {TILE_PX}-pixel JPEG or PNG; build the map again")
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    mask = picture[..., 3] > 127 if picture.shape[2] == 4 else np.ones(picture.shape[:2], bool)
    return np.ascontiguousarray(picture[..., 2::-1]), mask
