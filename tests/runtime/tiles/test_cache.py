"""The cache: what it keeps, what it refuses, and that two builds are one."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.errors import CacheError
from runtime.geo.mercator import LatLon, to_metres
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from runtime.tiles.format import quantise_rows, to_rows, write_rows
from runtime.tiles.metadata import CacheMetadata
from runtime.tiles.search import similarities
from tests.runtime.tiles.drawn import metadata_of

METADATA = metadata_of([(45.0, 11.25, 2), (64.0, 16.0, 3)], 6)


def unit_rows(count: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_small(path: Path, embedding: NDArray[np.float32] | None = None) -> Path:
    rows = unit_rows(5, 6) if embedding is None else embedding
    centre = np.column_stack([np.linspace(47.0, 47.1, 5), np.linspace(8.0, 8.1, 5)])
    write_rows(path, METADATA, [to_rows(rows, centre, np.array([0, 0, 1, 1, 1], np.uint8))])
    return path


@given(st.integers(1, 40), st.integers(2, 64), st.integers(0, 10**6))
def test_a_row_comes_back_within_half_a_step(count: int, dim: int, seed: int) -> None:
    embedding = unit_rows(count, dim, seed)
    rows, scale = quantise_rows(embedding)
    assert np.abs(rows.astype(np.int16)).max() <= 127
    assert (np.abs(rows * scale[:, None] - embedding) <= 0.5001 * scale[:, None]).all()
    assert ((rows * scale[:, None] * embedding).sum(axis=1) > 1 - 0.5 * np.sqrt(dim) / 127).all()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    cache = TileCache.open(write_small(tmp_path / "a.tiles"))
    assert np.abs(cache.embedding * cache.scale[:, None] - unit_rows(5, 6)).max() < 0.004
    assert cache.centre[4] == pytest.approx((47.1, 8.1))
    assert cache.footprints_m == (45.0, 64.0)
    assert cache.metadata.level_rows(0) == slice(0, 2)
    assert cache.metadata.level_rows(1) == slice(2, 5)


def test_no_byte_can_be_altered_unseen(tmp_path: Path) -> None:
    path = write_small(tmp_path / "a.tiles")
    whole = path.read_bytes()
    held = TileCache.open(path)
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
        try:
            cache = TileCache.open(path)
        except CacheError:
            continue
        same = cache.metadata == held.metadata and (cache.centre == held.centre).all()
        assert same, f"byte {at}: {whole[max(at - 30, 0) : at + 10]!r}"
    for length in (0, 3, 8, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CacheError, match="build it again"):
            TileCache.open(path)


@pytest.mark.parametrize("bad", [np.nan, 0.0, 3.0])
def test_an_encoder_that_gives_no_unit_vectors_writes_no_cache(bad: float, tmp_path: Path) -> None:
    embedding = unit_rows(5, 6)
    embedding[3] *= np.float32(bad)
    with pytest.raises(CacheError, match="row 3"):
        write_small(tmp_path / "a.tiles", embedding)
    assert not list(tmp_path.iterdir())


def test_similarities_are_those_of_a_slow_loop(tmp_path: Path) -> None:
    cache = TileCache.open(write_small(tmp_path / "a.tiles"))
    many = replace(
        cache, embedding=np.tile(cache.embedding, (8000, 1)), scale=np.tile(cache.scale, 8000)
    )  # over several blocks
    queries = unit_rows(2, 6, seed=3)
    found = similarities(many, queries, slice(1, 39_000))
    assert found.shape == (2, 38_999)
    for row in (0, 1, 16_382, 16_383, 16_384, 32_767, 38_998):
        stored = many.embedding[row + 1].astype(np.float64) * float(many.scale[row + 1])
        for i, query in enumerate(queries.astype(np.float64)):
            assert found[i, row] == pytest.approx(sum(a * b for a, b in zip(query, stored, strict=True)), abs=1e-6)


def test_the_order_of_rows_keeps_neighbours_together(toy_tiles: Path) -> None:
    cache = TileCache.open(toy_tiles)
    assert (np.diff(cache.level.astype(int)) >= 0).all()
    rows = cache.metadata.level_rows(0)
    away = np.diff(cache.centre[rows] * (111e3, 75e3), axis=0)
    assert np.median(np.hypot(*away.T)) < 2 * 32 / 4


def build(tmp_path: Path, *arguments: str) -> int:
    return main(["build", "--out", str(tmp_path / "a.tiles"), *arguments])


def test_two_builds_write_the_same_bytes(small_world: Path, toy_bundle: Path, toy_tiles: Path, tmp_path: Path) -> None:
    again = ("--imagery", str(small_world / "map.tif"), "--bundle", str(toy_bundle), "--footprints", "45", "32")
    assert main(["build", "--out", str(tmp_path / "town.tiles"), *again]) == 0
    for name in ("town.tiles", "town.mbtiles"):
        assert (tmp_path / name).read_bytes() == (toy_tiles.parent / name).read_bytes()


def test_a_build_from_its_own_mbtiles_keeps_them_and_takes_the_date(
    toy_tiles: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copy(toy_tiles.with_suffix(".mbtiles"), tmp_path / "a.mbtiles"))
    before = source.read_bytes()
    assert build(tmp_path, "--imagery", str(source), "--bundle", str(toy_bundle), "--footprints", "64",
                 "--date", "2024-07-01", "--accuracy", "2.5") == 0  # fmt: skip
    assert source.read_bytes() == before
    cache = TileCache.open(tmp_path / "a.tiles")
    assert [source.date for source in cache.metadata.sources] == ["2024-07-01"]
    assert cache.accuracy_ce90_m == 2.5


def test_info_and_verify_speak_of_a_sound_cache(
    toy_tiles: Path, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(toy_tiles)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"level +32 m tiles every 8 m: \d+; left out: \d+ missing\n", said)
    assert re.search(r"bounds +lat 47\.4\d+ to 47\.50", said)
    assert main(["verify", str(toy_tiles), "--bundle", str(toy_bundle)]) == 0
    assert "worst cosine 0.99" in capsys.readouterr().out


def test_on_a_terminal_the_levels_are_a_table(
    toy_tiles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["info", str(toy_tiles)]) == 0
    said = capsys.readouterr().out
    levels = TileCache.open(toy_tiles).metadata.levels
    for level in levels:
        row = next(line for line in said.splitlines() if f"{level.footprint_m:g} m" in line)
        assert {f"{level.rows:,}", f"{level.left_out['missing']:,}"} <= set(row.split())


@pytest.fixture
def cache_copy(toy_tiles: Path, tmp_path: Path) -> Path:
    shutil.copy(toy_tiles.with_suffix(".mbtiles"), tmp_path)
    return Path(shutil.copy(toy_tiles, tmp_path))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    path.write_bytes(data)


def make_newer(path: Path) -> None:
    renumber(path, b"4")


def make_older(path: Path) -> None:
    renumber(path, b"1")


def renumber(path: Path, number: bytes) -> None:
    data = path.read_bytes()
    assert data.count(b'\\"format\\": 2') == 1
    path.write_bytes(data.replace(b'\\"format\\": 2', b'\\"format\\": ' + number))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "suffix", "said"),
    [
        (truncate, ".tiles", "truncated"),
        (empty, ".tiles", "truncated"),
        (alter, ".tiles", "altered"),
        (make_newer, ".tiles", "format 4; this Skyfix reads 2 and 3: update it"),
        (make_older, ".tiles", "format 1; this Skyfix reads 2 and 3: build it again"),
        (remove, ".tiles", "missing"),
        (alter, ".mbtiles", "is not the map"),
        (truncate, ".mbtiles", "is not the map"),
        (remove, ".mbtiles", "missing"),
    ],
)
def test_a_spoilt_cache_is_refused_in_one_line_that_says_how_to_mend_it(
    *, spoil: object, suffix: str, said: str, cache_copy: Path, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(spoil)
    spoil(cache_copy.with_suffix(suffix))
    assert main(["verify", str(cache_copy), "--bundle", str(toy_bundle)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert "python -m runtime.tiles build" in error or "update" in said


def test_a_cache_of_another_encoder_is_refused(
    toy_tiles: Path, other_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(toy_tiles), "--bundle", str(other_bundle)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "was built with toy" in error and "other" in error


def flat_map(path: Path, shade: int, side_px: int = 300) -> Path:
    corner = to_metres(LatLon(47.5, 8.2))
    profile = {"crs": "EPSG:3857", "transform": rasterio.Affine(0.5, 0, corner.x, 0, -0.5, corner.y)}
    with rasterio.open(
        path, "w", driver="GTiff", height=side_px, width=side_px, count=3, dtype="uint8", **profile
    ) as file:
        file.write(np.full((3, side_px, side_px), shade, np.uint8))
    return path


@pytest.mark.parametrize(
    ("shade", "side_px", "footprint", "said"),
    [
        (128, 300, "45", "blank"),
        (0, 300, "45", ""),
        (99, 60, "300", "small"),
        (
            99,
            300,
            "5",
            "a tile of 5 m would be 12.4 pixels wide, expected 16; give a finer map, or --footprints from 7 m",
        ),
    ],
)
def test_a_map_that_shows_nothing_leaves_nothing_behind(
    *,
    shade: int,
    side_px: int,
    footprint: str,
    said: str,
    toy_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = flat_map(tmp_path / "map.tif", shade, side_px)
    assert build(tmp_path, "--imagery", str(source), "--bundle", str(toy_bundle), "--footprints", footprint) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


def test_a_failed_rebuild_keeps_the_cache_that_was_there(cache_copy: Path, toy_bundle: Path) -> None:
    source = flat_map(cache_copy.parent / "map.tif", 128)
    assert main(["build", "--imagery", str(source), "--bundle", str(toy_bundle), "--out", str(cache_copy)]) == 1
    assert main(["verify", str(cache_copy), "--bundle", str(toy_bundle)]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--footprints", "0"),
        ("--footprints", "nan"),
        ("--accuracy", "-1"),
        ("--precision", "int8"),
        ("--out", "town.cache"),
        ("--out", "/proc/none/a.tiles"),
        ("--bundle", "no.bundle"),
        ("--imagery", "no.tif"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(
    arguments: tuple[str, str], small_world: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ("--imagery", str(small_world / "map.tif"), "--bundle", str(toy_bundle), "--footprints", "128")
    assert build(tmp_path, *usual, *arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("runtime.tiles: ")
    assert not list(tmp_path.iterdir())


def test_the_metadata_is_json_with_what_the_contract_lists(toy_tiles: Path) -> None:
    metadata = json.loads(json.dumps(TileCache.open(toy_tiles).metadata.to_json()))
    assert CacheMetadata.from_json(metadata) == TileCache.open(toy_tiles).metadata
    assert set(metadata) == {"format", "encoder", "levels", "bounds_deg", "imagery", "sources"}
    assert set(metadata["encoder"]) == {"name", "sha256", "precision", "dim"}
    assert set(metadata["imagery"]) == {"accuracy_ce90_m", "sha256", "bytes", "corners"}
    assert all(set(source) == {"name", "date", "attribution"} for source in metadata["sources"])
    assert all(set(level) == {"footprint_m", "stride_m", "rows", "left_out"} for level in metadata["levels"])
