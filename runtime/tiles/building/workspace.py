"""The folder of an unfinished build, ``AREA.tiles.building``: what lies in it is whole, so a killed build goes on.

``asked.json`` says what is being built, ``map.mbtiles`` is the map once it is imported, ``LEVEL/ROW_COLUMN`` a finished
block, ``area.tiles`` the cache once it is written. Then map and cache are moved to their places, and the folder goes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.errors import CacheError
from runtime.files import whole_file, write_text_whole
from runtime.tiles.building.block_file import HEAD_BYTES, BlockCounts, counts_of, is_whole, unpack
from runtime.tiles.format import Rows
from runtime.tiles.windows import Block


class Workspace:
    """Keeps the blocks of one build of ``out``."""

    def __init__(self, out: Path, asked: Mapping[str, Any]) -> None:
        """Begin, or go on where an earlier build of the same was ended; raises CacheError where another lies there."""
        self.out, self.folder = out, out.with_name(out.name + ".building")
        self.map_path, self.cache_path = self.folder / "map.mbtiles", self.folder / "area.tiles"
        told = self.folder / "asked.json"
        text = json.dumps(asked, sort_keys=True, indent=1)
        if told.is_file() and told.read_text(encoding="utf-8") != text:
            raise CacheError(
                f"{self.folder} is an unfinished build of something else: {_difference(told, asked)}; "
                f"finish it with the arguments it was begun with, or give it up: rm -r {self.folder}"
            )
        if not told.is_file():
            write_text_whole(told, text)

    def has(self, block: Block) -> bool:
        """Whether a block is finished and as it was written."""
        path = self._path(block)
        return path.is_file() and is_whole(path.read_bytes())

    def keep(self, block: Block, data: bytes) -> None:
        """Keep a finished block."""
        with whole_file(self._path(block)) as partial:
            partial.write_bytes(data)

    def counts(self, block: Block) -> BlockCounts:
        """How many rows a finished block has."""
        with self._path(block).open("rb") as file:
            return counts_of(file.read(HEAD_BYTES))

    def rows(self, block: Block) -> Rows:
        """The rows of a finished block."""
        return unpack(self._path(block).read_bytes(), block.level)

    def finish(self) -> None:
        """Move the map, if it lies here, and the cache to their places, and remove the folder."""
        if self.map_path.is_file():
            self.map_path.replace(self.out.with_suffix(".mbtiles"))
        self.cache_path.replace(self.out)
        self.remove()

    def remove(self) -> None:
        """Give the build up."""
        shutil.rmtree(self.folder)

    def _path(self, block: Block) -> Path:
        return self.folder / str(block.level) / f"{block.row}_{block.column}"


def _difference(told: Path, asked: Mapping[str, Any]) -> str:
    try:
        before = json.loads(told.read_text(encoding="utf-8"))
        keys = sorted(key for key in {*before, *asked} if before.get(key) != asked.get(key))
        return ", ".join(f"{key} was {json.dumps(before.get(key))} and is {json.dumps(asked.get(key))}" for key in keys)
    except (ValueError, AttributeError):
        return f"{told.name} cannot be read"
