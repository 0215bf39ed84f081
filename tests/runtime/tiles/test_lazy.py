"""A cache opened for flight: what is read is checked, what is not read is not, and nothing altered becomes a fix."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.daemon.__main__ import main as daemon
from runtime.errors import CacheError
from runtime.geo.mercator import Metres, Tile, metres_per_px, north_west_of
from runtime.integrity import CHUNK, MapGuard, map_hashes
from runtime.maps.imagery import Imagery
from runtime.maps.mbtiles import write_mbtiles
from runtime.tiles.cache import TileCache
from runtime.tiles.format import ROW_TENSORS, Rows, write_rows
from runtime.tiles.search import Searcher
from tests.runtime.tiles.drawn import metadata_of

COUNT, DIM = 20_000, 300  # some six MiB
WIDTH = {"centre": 16, "scale": 4, "level": 1, "embedding": DIM}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "a.tiles"
    rng = np.random.default_rng(0)
    rows = Rows(
        rng.integers(-127, 128, (COUNT, DIM), np.int8), rng.uniform(size=COUNT).astype(np.float32),
        rng.uniform(-80, 80, (COUNT, 2)), np.zeros(COUNT, np.uint8)
    )  # fmt: skip
    write_rows(path, metadata_of([(45.0, 11.25, COUNT)], DIM), [rows])
    return path


def starts(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return {name: 8 + length + header[name]["data_offsets"][0] for name in ROW_TENSORS}


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


def test_the_metadata_and_the_hashes_are_checked_at_once(large: Path, tmp_path: Path) -> None:
    whole = large.read_bytes()
    path, rows_at = tmp_path / "a.tiles", min(starts(large)[name] for name in ("level", "embedding"))
    for at in (whole.index(b"footprint_m"), rows_at - 1, rows_at - 32):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(CacheError):
            TileCache.open(path, lazy=True)


SEARCHES: dict[str, Callable[[Searcher, NDArray[np.float32]], object]] = {
    "scan": lambda searcher, query: searcher.scan(query, slice(None)),
    "exact": lambda searcher, query: searcher.exact(query[0], np.arange(COUNT)),
}


@pytest.mark.parametrize(
    ("name", "refusing"), [("embedding", {"scan", "exact"}), ("scale", {"scan", "exact"}), ("centre", {"exact"})]
)
def test_no_search_reads_a_row_that_was_altered(name: str, refusing: set[str], large: Path, tmp_path: Path) -> None:
    data, row = bytearray(large.read_bytes()), 7777
    data[starts(large)[name] + row * WIDTH[name]] ^= 1
    (tmp_path / "a.tiles").write_bytes(data)
    query = np.random.default_rng(1).normal(size=(1, DIM)).astype(np.float32)
    refused = set()
    for how, search in SEARCHES.items():
        try:
            search(Searcher(TileCache.open(tmp_path / "a.tiles", lazy=True), threads=2), query)
        except CacheError:
            refused.add(how)
    assert refused == refusing


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


@pytest.mark.parametrize("suffix", [".tiles", ".mbtiles"])
def test_a_map_altered_after_it_was_copied_gives_no_fix_and_ends_the_daemon_in_one_line(
    *, suffix: str, small_world: Path, toy_tiles: Path, toy_bundle: Path, matcher: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    copy = Path(shutil.copy(toy_tiles, tmp_path))
    shutil.copy(toy_tiles.with_suffix(".mbtiles"), tmp_path)
    spoilt = copy.with_suffix(suffix)
    data = bytearray(spoilt.read_bytes())
    for at in range(len(data) * 3 // 4, len(data) * 3 // 4 + 4096, 64):  # far behind the header
        data[at] ^= 4
    spoilt.write_bytes(data)
    config = tmp_path / "skyfix.toml"
    flight = small_world / "flight"
    config.write_text(
        f'[map]\ntiles = "{copy}"\n[model]\nbundle = "{toy_bundle}"\nmatcher = "{matcher}"\n'
        f'[camera]\nsource = "{flight}"\ncalibration = "{flight}/camera.yaml"\n'
        f'[output]\nfixes = "{tmp_path / "fixes.jsonl"}"\n'
    )
    assert daemon(["--config", str(config)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "was altered" in error
    assert "lat" not in (tmp_path / "fixes.jsonl").read_text()
