"""Maps as PMTiles: which bytes stay, and what is said of a broken file."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from runtime.errors import ImageryError
from runtime.geo.mercator import Tile
from runtime.maps.imagery import Imagery
from runtime.maps.importing import import_imagery

ZOOM, X, Y = 18, 137_040, 91_776


def silent(done: int, total: int) -> None:
    assert done <= total


def write_pmtiles(path: Path, tiles: dict[tuple[int, int, int], bytes], kind: TileType = TileType.JPEG) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        for (z, x, y), data in sorted(tiles.items(), key=lambda one: zxy_to_tileid(*one[0])):
            writer.write_tile(zxy_to_tileid(z, x, y), data)
        zooms = [z for z, _, _ in tiles]
        writer.finalize(
            {
                "tile_type": kind,
                "tile_compression": Compression.NONE,
                "min_zoom": min(zooms),
                "max_zoom": max(zooms),
                **dict.fromkeys(("min_lon_e7", "min_lat_e7", "max_lon_e7", "max_lat_e7"), 0),
                **dict.fromkeys(("center_zoom", "center_lon_e7", "center_lat_e7"), 0),
            },
            {},
        )
    return path


def jpeg(seed: int) -> bytes:
    return cv2.imencode(".jpg", np.random.default_rng(seed).integers(60, 200, (256, 256, 3), np.uint8))[1].tobytes()


def imported(source: Path, out: Path) -> Imagery:
    return import_imagery(source, out, name="n", date="2024", attribution="us", tick=silent)


def test_pmtiles_give_their_deepest_zoom_byte_by_byte(tmp_path: Path) -> None:
    tiles = {(ZOOM, X + i, Y + j): jpeg(i + j) for i in range(5) for j in range(4)}  # equal ones are stored once
    source = write_pmtiles(tmp_path / "a.pmtiles", {**tiles, (ZOOM - 1, X // 2, Y // 2): jpeg(99)})
    imagery = imported(source, tmp_path / "a.mbtiles")
    assert imagery.zoom == ZOOM
    assert {at: imagery.stored(Tile(*at)) for at in tiles} == tiles
    with contextlib.closing(sqlite3.connect(imagery.path)) as db:
        assert db.execute("SELECT COUNT(*) FROM tiles").fetchone() == (len(tiles),)


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (lambda data: b"", TileType.JPEG, "no PMTiles file"),
        (lambda data: b"II*" + data[3:], TileType.JPEG, "no PMTiles file"),
        (lambda data: data[:140], TileType.JPEG, "is broken"),
        (lambda data: data[:-30], TileType.JPEG, "18/137040/91776 is not a 256-pixel"),
        (lambda data: data, TileType.MVT, "tiles of the kind MVT"),
    ],
)
def test_what_is_wrong_with_a_pmtiles_file_is_told(spoil: object, kind: TileType, said: str, tmp_path: Path) -> None:
    source = write_pmtiles(tmp_path / "a.pmtiles", {(ZOOM, X, Y): jpeg(0)}, kind)
    assert callable(spoil)
    source.write_bytes(spoil(source.read_bytes()))
    with pytest.raises(ImageryError, match=said):
        imported(source, tmp_path / "a.mbtiles")
    assert not (tmp_path / "a.mbtiles").exists()
