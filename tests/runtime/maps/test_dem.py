"""A terrain model in a cache: as the user's GeoTIFF says, guarded as the rest, cut and joined with the map."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from runtime.geo.local import LocalFrame
from runtime.geo.mercator import Metres, to_latlon
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from tests.runtime.maps.hills import command, heights, write_dem
from tests.runtime.tiles.building.drawn import KILLS_ITSELF, check_same, run


def test_without_a_dem_nothing_is_another_byte(hilly: Path, toy_tiles: Path, tmp_path: Path) -> None:
    plain, with_dem = TileCache.open(toy_tiles), TileCache.open(hilly)
    assert plain.heights is None
    assert (plain.metadata.format, with_dem.metadata.format) == (2, 3)
    assert {"terrain"} ^ set(with_dem.metadata.to_json()) == set(plain.metadata.to_json())
    for name in ("embedding", "scale", "centre", "level"):
        assert getattr(plain, name).tobytes() == getattr(with_dem, name).tobytes()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"half_m": 60.0}, "does not cover the map"),
        ({"nodata_east_m": -20.0}, "does not cover the map"),
        ({"stated": False, "nodata_east_m": 0.0}, "gdal_edit.py -a_nodata -9999"),
        ({"scale": 100.0}, "expected metres from -500 to 9000"),
    ],
)
def test_a_dem_that_cannot_be_right_is_refused_in_a_line(
    *, made: dict[str, float], said: str, toy_tiles: Path, toy_bundle: Path, middle: LocalFrame, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = write_dem(tmp_path / "other.tif", middle, **made)  # type: ignore[arg-type]
    assert main(command(toy_tiles, toy_bundle, tmp_path / "a" / "town.tiles", path)) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not any((tmp_path / "a").glob("*")), "nothing is left"


def test_gaps_narrower_than_a_tile_of_the_map_are_filled(
    toy_tiles: Path, toy_bundle: Path, middle: LocalFrame, tmp_path: Path
) -> None:
    imagery = TileCache.open(toy_tiles).open_imagery()
    east_m = middle.to_en(to_latlon(Metres(imagery.bounds.east, 0.0))._replace(lat=middle.origin.lat))[0]
    path = write_dem(tmp_path / "narrow.tif", middle, nodata_east_m=east_m - 30.0)
    out = tmp_path / "town.tiles"
    assert main(command(toy_tiles, toy_bundle, out, path)) == 0
    assert np.isfinite(heights(out).height_m).all()


def test_a_build_with_a_dem_that_is_killed_goes_on_to_the_same_bytes(
    toy_tiles: Path, toy_bundle: Path, dem: Path, hilly: Path, tmp_path: Path
) -> None:
    arguments = command(toy_tiles, toy_bundle, tmp_path / "out" / "town.tiles", dem)
    for allowed in (1, 3, 6):
        assert run(["-c", KILLS_ITSELF, str(allowed), *arguments]).wait(timeout=60) == -signal.SIGKILL
    flat = arguments[: arguments.index("--dem")]
    assert main(flat) == 1, "without it, it is another build"
    assert main(arguments) == 0
    check_same(tmp_path / "out" / "town.tiles", hilly)
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208
