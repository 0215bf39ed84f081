"""Writing MBTiles files: whole or not at all, the same bytes for the same tiles."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from runtime.errors import ImageryError
from runtime.files import whole_file
from runtime.geo.bounds import Bounds
from runtime.geo.mercator import HALF_WORLD_M, Tile
from runtime.types import Mask, Picture

JPEG_QUALITY = 90


def write_mbtiles(path: Path, tiles: Iterable[tuple[Tile, Picture, Mask]], metadata: dict[str, str]) -> int:
    """Encode pictures and write them, blank ones left out; as :func:`write_tiles`."""
    encoded = ((tile, encode_tile(picture, mask)) for tile, picture, mask in tiles if mask.any())
    return write_tiles(path, encoded, metadata)


def write_tiles(path: Path, tiles: Iterable[tuple[Tile, bytes]], metadata: dict[str, str]) -> int:
    """Write an MBTiles file of encoded tiles, whole or not at all. Returns how many were written.

    Raises ImageryError when nothing is left, or SQLite cannot write it.
    """
    count = 0
    with whole_file(path) as partial:
        partial.write_bytes(b"")  # a path that cannot be written is named here; SQLite does not name it
        db = sqlite3.connect(partial)
        try:
            begin_mbtiles(db, metadata)
            for tile, data in tiles:
                row = (1 << tile.z) - 1 - tile.y
                db.execute("INSERT INTO tiles VALUES (?, ?, ?, ?)", (tile.z, tile.x % (1 << tile.z), row, data))
                count += 1
            end_mbtiles(db)
        except sqlite3.Error as error:  # a full disk, or two pictures for one tile
            raise ImageryError(f"{path} cannot be written: {error}") from None
        finally:
            db.close()
        if count == 0:
            raise ImageryError("the map has no pixel with anything in it; nothing was written")
    return count


def begin_mbtiles(db: sqlite3.Connection, metadata: dict[str, str]) -> None:
    """Make the tables; without a journal, as a file that is not whole is never kept."""
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("CREATE TABLE metadata (name text, value text)")
    db.execute("CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob)")
    db.executemany("INSERT INTO metadata VALUES (?, ?)", sorted(metadata.items()))


def end_mbtiles(db: sqlite3.Connection) -> None:
    """Make the index; raises sqlite3.Error where two pictures are for one tile."""
    db.execute("CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)")
    db.commit()


def encode_tile(picture: Picture, mask: Mask) -> bytes:
    """Encode a JPEG where the map is whole, a PNG with alpha where some of it is missing; raises ImageryError."""
    if mask.all():
        done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    else:
        alpha = mask.astype(np.uint8) * 255
        done, data = cv2.imencode(".png", np.dstack([picture[..., ::-1], alpha]))
    if not done:
        raise ImageryError("OpenCV could not encode a map tile")
    return data.tobytes()


def corners_of(bounds: Bounds, zoom: int) -> tuple[Tile, Tile]:
    """Find the corner tiles that touch a box; over the 180th meridian x is below 0 or goes on."""
    side_m, last = 2 * HALF_WORLD_M / (1 << zoom), (1 << zoom) - 1
    left, right = (math.floor((x + HALF_WORLD_M) / side_m) for x in (bounds.west, bounds.east))
    top, bottom = (min(max(math.floor((HALF_WORLD_M - y) / side_m), 0), last) for y in (bounds.north, bounds.south))
    return Tile(zoom, left, top), Tile(zoom, min(right, left + last), bottom)


def tiles_over(bounds: Bounds, zoom: int) -> Iterator[Tile]:
    """Yield every tile that touches a box, row by row from the north, as :func:`corners_of`."""
    first, last = corners_of(bounds, zoom)
    for y in range(first.y, last.y + 1):
        for x in range(first.x, last.x + 1):
            yield Tile(zoom, x, y)
