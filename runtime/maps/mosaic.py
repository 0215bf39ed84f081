"""Several maps as one: the first that has a place shows it, later ones fill what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from runtime.geo.mercator import TILE_PX, Metres, Tile, metres_per_px, north_west_of
from runtime.maps.imagery import Imagery, decode_tile
from runtime.maps.mbtiles import corners_of, encode_tile, write_tiles
from runtime.types import Mask, Picture, Tick

_SOURCES = "skyfix_sources"  # in the metadata of an MBTiles file that was put together
_MOST_FINER = 2  # zooms: a coarse map is not blown up more than four times for a fine one beside it


@dataclass(frozen=True, slots=True)
class MapCredit:
    """A map that an MBTiles file was made of, as its maker describes it."""

    name: str
    date: str
    attribution: str


def sources_of(imagery: Imagery) -> tuple[MapCredit, ...]:
    """Return the maps that an MBTiles file was made of."""
    kept = json.loads(imagery.metadata[_SOURCES]) if _SOURCES in imagery.metadata else [imagery.metadata]
    return tuple(MapCredit(*(str(source.get(key, "")) for key in ("name", "date", "attribution"))) for source in kept)


def write_mosaic(parts: Sequence[Imagery], out: Path, tick: Tick) -> None:
    """Put maps together as one MBTiles file, of the finest zoom; tiles that one map fills alone go byte by byte.

    Raises ImageryError.
    """
    zoom = min(max(part.zoom for part in parts), min(part.zoom for part in parts) + _MOST_FINER)
    sources = list(dict.fromkeys(source for part in parts for source in sources_of(part)))
    kept = json.dumps([asdict(source) for source in sources], sort_keys=True)
    metadata = {"name": sources[0].name, "format": "jpg", "type": "baselayer", _SOURCES: kept}
    write_tiles(out, _tiles(parts, zoom, tick), metadata)


def _tiles(parts: Sequence[Imagery], zoom: int, tick: Tick) -> Iterator[tuple[Tile, bytes]]:
    corners = [corners_of(part.bounds, zoom) for part in parts]
    first, last = min(low.y for low, _ in corners), max(high.y for _, high in corners)
    for y in range(first, last + 1):
        across = [range(low.x, high.x + 1) for low, high in corners if low.y <= y <= high.y]
        for x in sorted({x % (1 << zoom) for columns in across for x in columns}):
            data = _put_together(parts, Tile(zoom, x, y))
            if data is not None:
                yield Tile(zoom, x, y), data
        tick(y - first + 1, last - first + 1)


def _put_together(parts: Sequence[Imagery], tile: Tile) -> bytes | None:
    picture, mask = np.zeros((TILE_PX, TILE_PX, 3), np.uint8), np.zeros((TILE_PX, TILE_PX), np.bool_)
    for part in parts:
        data = part.stored(tile) if part.zoom == tile.z else None
        if part.zoom == tile.z and data is None:
            continue
        shown, seen = _at(part, tile) if data is None else decode_tile(data, f"{part.path} tile {tile}")
        if data is not None and not mask.any() and seen.all():
            return data
        fill = seen & ~mask
        picture[fill], mask = shown[fill], mask | fill
        if mask.all():
            break
    return encode_tile(picture, mask) if mask.any() else None


def _at(part: Imagery, tile: Tile) -> tuple[Picture, Mask]:
    """Read what a map of another zoom shows of a tile."""
    side_m, corner = TILE_PX * metres_per_px(tile.z), north_west_of(tile)
    return part.window(Metres(corner.x + side_m / 2, corner.y - side_m / 2), side_m, TILE_PX)
