"""From a map to a cache: the same bytes twice, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from runtime.geo.mercator import LatLon, to_metres
from runtime.tiles.__main__ import main


def build(tmp_path: Path, *arguments: str) -> int:
    return main(["build", "--out", str(tmp_path / "a.tiles"), *arguments])


def test_two_builds_write_the_same_bytes(small_world: Path, toy_bundle: Path, toy_tiles: Path, tmp_path: Path) -> None:
    again = ("--imagery", str(small_world / "map.tif"), "--bundle", str(toy_bundle), "--footprints", "45", "32")
    assert main(["build", "--out", str(tmp_path / "town.tiles"), *again]) == 0
    for name in ("town.tiles", "town.mbtiles"):
        assert (tmp_path / name).read_bytes() == (toy_tiles.parent / name).read_bytes()


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
