"""``python -m runtime.tiles build``: what its arguments come to, what it prints, and what it says of wrong ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache


def build(tmp_path: Path, *arguments: str) -> int:
    return main(["build", "--out", str(tmp_path / "a.tiles"), *arguments])


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


def test_the_summary_counts_the_tiles_of_each_level_and_names_the_files(
    small_world: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ("--imagery", str(small_world / "map.tif"), "--bundle", str(toy_bundle))
    assert build(tmp_path, *usual, "--footprints", "64", "45", "--stride", "30") == 0
    summary, where = capsys.readouterr().out.splitlines()
    cache = TileCache.open(tmp_path / "a.tiles")
    levels = ", ".join(f"{level.rows} of {level.footprint_m:g} m" for level in cache.metadata.levels)
    assert summary.startswith(f"{cache.path}: {cache.metadata.rows} tiles ({levels})")
    assert [level.stride_m for level in cache.metadata.levels] == [30.0, 30.0]
    assert str(cache.imagery_path) in where
    assert cache.metadata.encoder.name in where


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
