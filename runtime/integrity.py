"""Hashes that let a file be trusted piece by piece: a cache's tensors by the MiB, its map by squares of 8 x 8 tiles.

Opening a cache in flight checks its metadata and the lists of hashes alone, whatever its size; a piece is compared with
its hash when it is first read. So no altered byte becomes a row or a picture, and nothing waits for what is never read.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import CacheError

CHUNK = 1 << 20
SQUARE = 8  # map tiles a side
BUILD = "python -m runtime.tiles build --imagery MAP --out"
Hashes = NDArray[np.uint8]  # (B, 32), SHA-256


def chunks_of(data_bytes: int) -> int:
    """Return how many pieces so many bytes are."""
    return -(-data_bytes // CHUNK)


def hashes_of(tensor: NDArray[Any]) -> Hashes:
    """Hash each MiB of a tensor's bytes (SHA-256); the last may be shorter."""
    data = np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)
    digests = [hashlib.sha256(data[at : at + CHUNK].data).digest() for at in range(0, len(data), CHUNK)]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


class ChangeWatch:
    """Notices that an open file is written to: what was checked is then to be checked again.

    A new file that is renamed to its place is another file: the one that is open stays as it is.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._then = path, path.stat()

    def changed(self) -> bool:
        """Tell, once, whether it was written to; raises CacheError where a part of it is gone.

        To read memory that is mapped to what is gone would end the process (SIGBUS).
        """
        try:
            now = self._path.stat()
        except OSError:
            return False  # renamed or removed; who has it open, has it whole
        then = self._then
        if (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino):
            return False
        if now.st_size < then.st_size:
            raise CacheError(
                f"{self._path} was cut to {now.st_size:,} of {then.st_size:,} bytes while it was open; put a new "
                f"one beside it and rename it, or build it again: {BUILD} {self._path.with_suffix('.tiles')}"
            )
        self._then = now
        return now.st_mtime_ns != then.st_mtime_ns


class RowGuard:
    """Compares the MiB of a cache's tensors with their hashes, each once, and again where the file was written to.

    Threads may share it.
    """

    def __init__(self, path: Path, tensors: Mapping[str, NDArray[Any]], hashes: Hashes) -> None:
        """``hashes`` are those of the tensors one after the other."""
        self._path, self._watch = path, ChangeWatch(path)
        self._data = {name: np.asarray(held).reshape(-1).view(np.uint8) for name, held in tensors.items()}
        self._row_bytes = {name: len(self._data[name]) // max(len(held), 1) for name, held in tensors.items()}
        edges = np.cumsum([0, *(chunks_of(len(data)) for data in self._data.values())]).tolist()
        self._hashes = {name: hashes[a:b] for name, a, b in zip(self._data, edges[:-1], edges[1:], strict=True)}
        self._good = {name: np.zeros(len(some), np.bool_) for name, some in self._hashes.items()}

    def check(self, rows: slice | NDArray[np.int64], names: Iterable[str] = ()) -> None:
        """Raise CacheError where a piece that holds any of these rows was altered; no names are all tensors."""
        if self._watch.changed():
            for good in self._good.values():
                good[:] = False
        for name in names or self._data:
            width, good = self._row_bytes[name], self._good[name]
            if isinstance(rows, slice):
                start, stop, _ = rows.indices(len(self._data[name]) // width)
                touched = np.arange(start * width // CHUNK, chunks_of(stop * width) if stop > start else 0)
            else:
                touched = np.unique(np.concatenate([rows * width // CHUNK, (rows * width + width - 1) // CHUNK]))
            for chunk in touched[~good[touched]].tolist():
                data = self._data[name][chunk * CHUNK : (chunk + 1) * CHUNK]
                if hashlib.sha256(data.data).digest() != self._hashes[name][chunk].tobytes():
                    raise CacheError(
                        f"{self._path} was altered: MiB {chunk} of {name} does not have its hash; "
                        f"copy it again, or build it again: {BUILD} {self._path}"
                    )
                good[chunk] = True


class MapGuard:
    """Compares the squares of a map with their hashes, each once, and again where the file was written to."""

    def __init__(self, path: Path, squares: NDArray[np.int32], hashes: Hashes) -> None:
        """``squares`` are (M, 2) column and row of the squares in order, ``hashes`` (M, 32)."""
        self._path, self._hashes, self._watch = path, hashes, ChangeWatch(path)
        self._keys = _keys(np.asarray(squares))
        self._good: set[int] = set()

    def check(self, db: sqlite3.Connection, zoom: int, column: int, row: int) -> None:
        """Check the square that holds a tile (rows from the south); raises CacheError where it was altered."""
        square = column // SQUARE, row // SQUARE
        key = int(_keys(np.array([square]))[0])
        if self._watch.changed():
            self._good.clear()
        if key in self._good:
            return
        at = int(np.searchsorted(self._keys, key))
        listed = at < len(self._keys) and self._keys[at] == key
        try:
            found = _square_hashes(db, zoom, square[0], square[1]).get(square[1])
        except sqlite3.Error:
            found = b""  # of no hash: the file's own structure is broken
        if found != (self._hashes[at].tobytes() if listed else None):
            raise CacheError(
                f"{self._path} was altered about its tile {zoom}/{column}/{(1 << zoom) - 1 - row}: "
                f"copy it again, or build it again: {BUILD} {self._path.with_suffix('.tiles')}"
            )
        self._good.add(key)


def map_hashes(path: Path, zoom: int) -> tuple[NDArray[np.int32], Hashes]:
    """Find the squares of an MBTiles file that hold tiles (M, 2), in order, and the hash of each."""
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        (left, right) = db.execute(
            "SELECT MIN(tile_column), MAX(tile_column) FROM tiles WHERE zoom_level = ?", (zoom,)
        ).fetchone()
        squares, digests = [], []
        for column in range(left // SQUARE, right // SQUARE + 1):
            for row, digest in sorted(_square_hashes(db, zoom, column, None).items()):
                squares.append((column, row))
                digests.append(digest)
    finally:
        db.close()
    return np.array(squares, np.int32), np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


def _square_hashes(db: sqlite3.Connection, zoom: int, column: int, row: int | None) -> dict[int, bytes]:
    """Hash the squares of one column, or one of them; returns the hashes by row."""
    within = "" if row is None else f" AND tile_row BETWEEN {row * SQUARE} AND {row * SQUARE + SQUARE - 1}"
    digests: dict[int, Any] = {}
    for x, y, data in db.execute(
        "SELECT tile_column, tile_row, CAST(tile_data AS BLOB) FROM tiles "
        f"WHERE zoom_level = ? AND tile_column BETWEEN ? AND ?{within} ORDER BY tile_column, tile_row",
        (zoom, column * SQUARE, column * SQUARE + SQUARE - 1),
    ):
        digest = digests.setdefault(y // SQUARE, hashlib.sha256())
        digest.update(np.array([x, y, len(data or b"")], "<i8").tobytes())
        digest.update(data or b"")
    return {y: digest.digest() for y, digest in digests.items()}


def _keys(squares: NDArray[Any]) -> NDArray[np.int64]:  # (M,)
    columns, rows = squares.astype(np.int64).reshape(-1, 2).T
    return np.asarray((columns << 32) | rows)
