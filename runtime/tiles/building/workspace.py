"""The folder of an unfinished build, ``AREA.tiles.building``: what lies in it is whole, so a killed build goes on.

``build.json`` is the fingerprint of what is being built, ``map.mbtiles`` is the map once it is imported,
``LEVEL/ROW_COLUMN`` a finished block, ``area.tiles`` the cache once it is written. Then map and cache are moved to
their places, and the folder goes.
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
    """The folder that keeps what is finished of one build of ``out``."""

    def __init__(self, out: Path, fingerprint: Mapping[str, Any]) -> None:
        """Begin, or go on where an earlier build of the same was ended; raises CacheError where another lies there."""
        self.out, self.folder = out, out.with_name(out.name + ".building")
        self.map_path, self.cache_path = self.folder / "map.mbtiles", self.folder / "area.tiles"
        kept = self.folder / "build.json"
        text = json.dumps(fingerprint, sort_keys=True, indent=1)
        if not kept.is_file():
            write_text_whole(kept, text)
        elif kept.read_text(encoding="utf-8") != text:
            raise CacheError(
                f"{self.folder} is an unfinished build of something else: {_difference(kept, fingerprint)}; "
                f"finish it with the arguments it was begun with, or give it up: rm -r {self.folder}"
            )

    def has(self, block: Block) -> bool:
        """Tell whether a block is finished and as it was written."""
        path = self._path(block)
        return path.is_file() and is_whole(path.read_bytes())

    def keep(self, block: Block, data: bytes) -> None:
        """Keep a finished block."""
        with whole_file(self._path(block)) as partial:
            partial.write_bytes(data)

    def counts(self, block: Block) -> BlockCounts:
        """Count the rows of a finished block, and the windows that have none."""
        with self._path(block).open("rb") as file:
            return counts_of(file.read(HEAD_BYTES))

    def rows(self, block: Block) -> Rows:
        """Read the rows of a finished block."""
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


def _difference(kept: Path, now: Mapping[str, Any]) -> str:
    try:
        before = json.loads(kept.read_text(encoding="utf-8"))
        keys = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        return ", ".join(f"{key} was {json.dumps(before.get(key))} and is {json.dumps(now.get(key))}" for key in keys)
    except (ValueError, AttributeError):
        return f"{kept.name} cannot be read"
