"""Maps as PMTiles files (version 3), by the package of that name; not imported in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runtime.errors import ImageryError
from runtime.geo.mercator import Tile
from runtime.maps.imagery import decode_tile

_PICTURES = ("PNG", "JPEG", "WEBP")


def pmtiles_tiles(source: Path, tick: Callable[[int, int], None]) -> Iterator[tuple[Tile, bytes]]:
    """Yield the tiles of the deepest zoom, byte by byte; raises ImageryError for what is broken or no pictures."""
    try:
        from pmtiles.reader import MmapSource, all_tiles
        from pmtiles.tile import deserialize_header
    except ModuleNotFoundError:
        raise ImageryError(f"{source} is a PMTiles file, and pmtiles is not installed: pip install pmtiles") from None
    with source.open("rb") as file:
        try:
            read = MmapSource(file)
            header: dict[str, Any] = deserialize_header(read(0, 127))
        except Exception as error:  # the package's errors have no common base
            raise ImageryError(f"{source} is no PMTiles file of version 3: {error}") from None
        kind = header["tile_type"].name
        if kind not in _PICTURES:
            raise ImageryError(f"{source} holds tiles of the kind {kind}, expected pictures: {', '.join(_PICTURES)}")
        found = all_tiles(read)
        done, total = 0, header["addressed_tiles_count"]
        while True:
            try:
                (zoom, x, y), data = next(found)
            except StopIteration:
                return
            except Exception as error:
                raise ImageryError(f"{source} is broken ({error}); copy it again") from None
            done += 1
            tick(done, max(done, total))
            if zoom == header["max_zoom"]:
                _, mask = decode_tile(data, f"{source} tile {zoom}/{x}/{y}")
                if mask.any():
                    yield Tile(zoom, x, y), data
