"""MBTiles files as others read them: rows from the south, JPEG or PNG, the same bytes for the same tiles."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import ImageryError
from runtime.geo.bounds import Bounds
from runtime.geo.mercator import HALF_WORLD_M, Tile, north_west_of
from runtime.maps.mbtiles import corners_of, encode_tile, tiles_over, write_mbtiles, write_tiles

GREY = np.full((256, 256, 3), 90, np.uint8)
ALL = np.ones((256, 256), np.bool_)
ABOUT = {"name": "a", "format": "jpg", "type": "baselayer"}


def test_rows_are_counted_from_the_south_and_columns_wrap_around_the_world(tmp_path: Path) -> None:
    tiles = [(Tile(3, 1, 2), b"one"), (Tile(3, 9, 7), b"two")]
    assert write_tiles(tmp_path / "a.mbtiles", iter(tiles), ABOUT) == 2
    db = sqlite3.connect(tmp_path / "a.mbtiles")
    held = set(db.execute("SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles"))
    said = dict(db.execute("SELECT name, value FROM metadata"))
    db.close()
    assert held == {(3, 1, 5, b"one"), (3, 1, 0, b"two")}
    assert said == ABOUT


def test_the_same_tiles_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_mbtiles(tmp_path / f"{name}.mbtiles", [(Tile(3, x, 2), GREY, ALL) for x in range(4)], ABOUT)
    assert (tmp_path / "a.mbtiles").read_bytes() == (tmp_path / "b.mbtiles").read_bytes()


def test_a_whole_tile_is_a_jpeg_and_one_with_holes_keeps_them() -> None:
    assert encode_tile(GREY, ALL)[:2] == b"\xff\xd8"
    mask = ALL.copy()
    mask[:100] = False
    holed = cv2.imdecode(np.frombuffer(encode_tile(GREY, mask), np.uint8), cv2.IMREAD_UNCHANGED)
    assert ((holed[..., 3] == 255) == mask).all()


@pytest.mark.parametrize(
    ("tiles", "said"),
    [
        ([], "no pixel with anything in it"),
        ([(Tile(3, 1, 2), b"a"), (Tile(3, 9, 2), b"b")], "cannot be written: UNIQUE constraint failed"),
    ],
)
def test_a_map_of_nothing_or_with_two_pictures_for_one_place_leaves_no_file(
    tiles: list[tuple[Tile, bytes]], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ImageryError, match=said):
        write_tiles(tmp_path / "a.mbtiles", iter(tiles), ABOUT)
    assert not list(tmp_path.iterdir())


@given(
    st.integers(1, 18),
    st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)),
    st.tuples(st.floats(1e-3, 9.0), st.floats(1e-3, 9.0)),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=10),
)
def test_the_tiles_over_a_box_touch_it_and_hold_every_point_of_it(
    zoom: int, corner: tuple[float, float], size: tuple[float, float], shares: list[tuple[float, float]]
) -> None:
    """The box is some tiles wide and high, and ends at the world's edges in the north and south."""
    side_m = 2 * HALF_WORLD_M / (1 << zoom)
    left, low = (HALF_WORLD_M * share for share in corner)
    box = Bounds(left, low, *(min(at + n * side_m, HALF_WORLD_M) for at, n in zip((left, low), size, strict=True)))
    tiles = list(tiles_over(box, zoom))
    for tile in tiles:
        north_west = north_west_of(tile)
        assert north_west.x <= box.east + 1 and north_west.x + side_m >= box.west - 1
        assert north_west.y >= box.south - 1 and north_west.y - side_m <= box.north + 1
    assert (tiles[0], tiles[-1]) == corners_of(box, zoom)
    held = {(tile.x, tile.y) for tile in tiles}
    for share_x, share_y in shares:
        x = box.west + share_x * (box.east - box.west)
        y = box.south + share_y * (box.north - box.south)
        at = int((x + HALF_WORLD_M) // side_m), int((HALF_WORLD_M - y) // side_m)
        assert at in held or max(at) == 1 << zoom, "the world's last edge belongs to its last tile"
