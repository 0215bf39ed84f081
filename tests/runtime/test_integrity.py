"""A cache trusted piece by piece: no altered byte becomes a row or a picture."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import CacheError
from runtime.geo.mercator import Metres, Tile, metres_per_px, north_west_of
from runtime.integrity import CHUNK, MapGuard, map_hashes
from runtime.maps.imagery import Imagery
from runtime.maps.mbtiles import write_mbtiles
from runtime.tiles.cache import TileCache
from runtime.tiles.format import ROW_TENSORS
from tests.runtime.tiles.large_cache import COUNT, DIM, WIDTH, starts

# Any row, and often one of those of whose embedding a part lies in the next MiB.
ROW = st.one_of(st.integers(0, COUNT - 1), st.sampled_from([k * CHUNK // DIM for k in range(1, 6)]))


@given(
    name=st.sampled_from(ROW_TENSORS),
    row=ROW,
    asked=st.lists(ROW, min_size=1, max_size=5),
    last=st.integers(0, COUNT),
)
def test_only_rows_of_an_altered_mib_are_refused(
    *, name: str, row: int, asked: list[int], last: int, large: Path
) -> None:
    at, width = (row + 1) * WIDTH[name] - 1, WIDTH[name]  # its last byte
    place = starts(large)[name] + at
    with large.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 64]))
    try:
        with pytest.raises(CacheError, match="altered"):
            TileCache.open(large)
        for rows in (np.array(asked), slice(0, last)):
            wanted = asked if isinstance(rows, np.ndarray) else range(last)
            broken = any(r * width // CHUNK <= at // CHUNK <= (r * width + width - 1) // CHUNK for r in wanted)
            cache = TileCache.open(large, lazy=True)
            cache.check_rows(rows, [other for other in ROW_TENSORS if other != name])
            for _ in range(2):  # it stays refused
                if broken:
                    with pytest.raises(CacheError, match=f"of {name} does not have its hash"):
                        cache.check_rows(rows)
                else:
                    cache.check_rows(rows)
    finally:
        with large.open("r+b") as file:
            file.seek(place)
            file.write(bytes([byte]))


ZOOM, CORNER = 18, (137_040, 91_776)


def tile_at(x: int, y: int) -> Tile:
    return Tile(ZOOM, CORNER[0] + x, CORNER[1] + y)


def test_a_map_is_refused_where_a_tile_was_altered_and_nowhere_else(tmp_path: Path) -> None:
    rng, seen, path = np.random.default_rng(0), np.ones((256, 256), np.bool_), tmp_path / "a.mbtiles"
    pictures = [
        (tile_at(x, y), rng.integers(255, size=(256, 256, 3), dtype=np.uint8)) for x in range(20) for y in (0, 1)
    ]
    write_mbtiles(path, [(tile, picture, seen) for tile, picture in pictures], {})
    squares, hashes = map_hashes(path, ZOOM)
    before = {tile: look(path, squares, hashes, tile) for tile, _ in pictures}
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    refused = set()
    for tile, _ in pictures:
        try:
            assert (look(path, squares, hashes, tile) == before[tile]).all()
        except CacheError as error:
            assert "altered" in str(error)
            refused.add(tile.x // 8)
    assert len(refused) == 1
    assert any((plainly(path, tile) != before[tile]).any() for tile, _ in pictures), (
        "unguarded, it would have been seen"
    )


def look(path: Path, squares: np.ndarray, hashes: np.ndarray, tile: Tile) -> np.ndarray:
    imagery = Imagery(path, guard=MapGuard(path, squares, hashes))
    return shown(imagery, tile)


def plainly(path: Path, tile: Tile) -> np.ndarray:
    return shown(Imagery(path), tile)


def shown(imagery: Imagery, tile: Tile) -> np.ndarray:
    side_m, corner = 256 * metres_per_px(ZOOM), north_west_of(tile)
    picture, _ = imagery.window(Metres(corner.x + side_m / 2, corner.y - side_m / 2), 0.98 * side_m, 256)
    imagery.close()
    return picture


def copied(path: Path, folder: Path) -> Path:
    shutil.copy(path.with_suffix(".mbtiles"), folder)
    return Path(shutil.copy(path, folder))


def test_rows_that_were_good_are_checked_again_when_the_file_is_written_to(toy_tiles: Path, tmp_path: Path) -> None:
    path = copied(toy_tiles, tmp_path)
    cache = TileCache.open(path, lazy=True)
    cache.check_rows(slice(None))
    os.utime(path, ns=(1, 1))
    cache.check_rows(slice(None))  # touched, and nothing else
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    os.utime(path, ns=(2, 2))
    with pytest.raises(CacheError, match="altered"):
        cache.check_rows(slice(None))


def test_a_file_that_is_cut_while_it_is_mapped_is_an_error_and_no_bus_error(toy_tiles: Path, tmp_path: Path) -> None:
    path = copied(toy_tiles, tmp_path)
    cache = TileCache.open(path, lazy=True)
    os.truncate(path, 0)
    with pytest.raises(CacheError, match=r"town\.tiles was cut to 0 of .* rename it"):
        cache.check_rows(slice(None))


def test_a_new_file_in_its_place_is_another_one(toy_tiles: Path, tmp_path: Path) -> None:
    path = copied(toy_tiles, tmp_path)
    cache = TileCache.open(path, lazy=True)
    (tmp_path / "new").write_bytes(b"another")
    (tmp_path / "new").replace(path)
    for spoil in (lambda: None, path.unlink):
        spoil()
        cache.check_rows(slice(None))
        assert cache.embedding.any(), "the mapped file is still there"


def test_a_map_that_is_cut_in_flight_is_an_error(toy_tiles: Path, tmp_path: Path) -> None:
    imagery = TileCache.open(copied(toy_tiles, tmp_path), lazy=True).open_imagery()
    low = imagery.corners[0]
    assert imagery.stored(low) is not None
    os.truncate(imagery.path, 4096)
    with pytest.raises(CacheError, match=r"town\.mbtiles was cut"):
        imagery.stored(low)
    imagery.close()
