"""Heights of a cache's ground: cut, joined, told, laid about any place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import CacheError
from runtime.geo.bounds import Bounds
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import HALF_WORLD_M, LatLon, to_metres
from runtime.maps.heights import Heights, join_heights, nodes_over
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from tests.runtime.maps.hills import command, height_of, heights
from tests.runtime.tiles.drawn import piece


def test_the_terrain_is_the_dem_s_in_metres_about_any_place_of_the_map(hilly: Path, middle: LocalFrame) -> None:
    """Bilinear twice, every 10 m and then 11, of a swell of 300 m: a few centimetres of its crests are lost."""
    held, rng = heights(hilly), np.random.default_rng(0)
    for away_m in ((0.0, 0.0), (60.0, -40.0)):
        frame = LocalFrame(middle.to_latlon(*away_m))
        places = rng.uniform(-80, 80, (50, 2))
        wanted = height_of(*(places + away_m).T)
        assert held.about(frame, 150.0).up_m(places) == pytest.approx(wanted, abs=0.25)
    assert held.step_m > 10.0 / np.cos(np.radians(middle.origin.lat)), "no finer than the DEM"


def test_an_altered_height_is_refused_where_it_is_read(hilly: Path, tmp_path: Path, middle: LocalFrame) -> None:
    data = bytearray(hilly.read_bytes())
    at = data.find(np.ascontiguousarray(heights(hilly).height_m).tobytes())
    data[at + 40] ^= 1
    spoilt = tmp_path / "town.tiles"
    spoilt.write_bytes(data)
    with pytest.raises(CacheError, match="of height does not have its hash"):
        TileCache.open(spoilt)
    lazy = TileCache.open(spoilt, lazy=True)
    lazy.check_rows(slice(None))
    assert lazy.heights is not None
    with pytest.raises(CacheError, match="of height does not have its hash"):
        lazy.heights.about(middle, 100.0)
    assert lazy.sha256 != TileCache.open(hilly).sha256, "so a signature does not hold for it"


def test_a_crop_keeps_the_heights_of_its_map(hilly: Path, middle: LocalFrame, tmp_path: Path) -> None:
    place, out = middle.to_latlon(50.0, -50.0), tmp_path / "mission.tiles"
    assert main(["crop", str(hilly), "--around", f"{place.lat},{place.lon},30", "--out", str(out)]) == 0
    whole, part = heights(hilly), heights(out)
    assert part.height_m.size < whole.height_m.size
    places = np.random.default_rng(1).uniform(-60, 60, (40, 2))
    frame = LocalFrame(place)
    assert part.about(frame, 90.0).up_m(places) == pytest.approx(whole.about(frame, 90.0).up_m(places), abs=1e-6)


def test_halves_of_one_dem_are_merged_to_the_heights_of_the_whole(
    *, toy_tiles: Path, toy_bundle: Path, dem: Path, hilly: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halves = [piece(toy_tiles, tmp_path, name, columns) for name, columns in (("west", "< 4"), ("east", ">= 2"))]
    for half in halves:
        assert main(command(half, toy_bundle, half.with_suffix(".tiles"), dem)) == 0
    tiles, out = [str(half.with_suffix(".tiles")) for half in halves], tmp_path / "whole.tiles"
    assert main(["merge", *tiles, "--out", str(out)]) == 0
    assert heights(out).lattice() == heights(hilly).lattice()
    assert heights(out).height_m == pytest.approx(np.asarray(heights(hilly).height_m), abs=0.05)
    capsys.readouterr()
    assert main(["merge", tiles[0], str(toy_tiles), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no heights" in error
    assert "--dem" in error


@given(
    corners=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=4),
    side=st.floats(0.1, 1),
    west=st.sampled_from([0.0, 912_345.0, -912_345.0, HALF_WORLD_M - 500.0]),
)
def test_parts_joined_are_the_whole_wherever_one_of_them_lies(
    corners: list[tuple[float, float]], side: float, west: float
) -> None:
    size_m, cells = 1000.0, 2_097_152
    bounds = Bounds(west, -400.0, west + size_m, size_m - 400.0)
    nodes = nodes_over(bounds, 2 * HALF_WORLD_M / cells)
    height_m = np.random.default_rng(0).uniform(0, 900, (nodes.rows, nodes.columns)).astype(np.float32)
    whole = Heights(height_m, cells, nodes.top, nodes.left, ())
    boxes = [
        Bounds(west + u * m, v * m - 400.0, west + u * m + side * size_m, v * m + side * size_m - 400.0)
        for u, v in corners
        for m in [(1 - side) * size_m]
    ]
    parts = [whole.within(box) for box in boxes]
    over = join_heights(parts, bounds)
    assert (over.top, over.left, over.height_m.shape) == (whole.top, whole.left, height_m.shape)
    for part in parts:
        at = np.s_[part.top - whole.top :, part.left - whole.left :]
        rows, columns = part.height_m.shape
        assert (part.height_m == height_m[at][:rows, :columns]).all()
        assert (over.height_m[at][:rows, :columns] == part.height_m).all()
    assert np.isin(over.height_m, height_m).all(), "the rest is filled with heights near by"


def test_info_says_what_terrain_there_is(hilly: Path, toy_tiles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(hilly)]) == 0
    assert "terrain   hills, " in capsys.readouterr().out
    assert main(["info", str(toy_tiles)]) == 0
    assert "terrain" not in capsys.readouterr().out


@pytest.mark.parametrize("lon", [179.999, -179.999])
def test_heights_across_the_180th_meridian_are_one_terrain(lon: float) -> None:
    cells = 5_242_880
    step = 2 * HALF_WORLD_M / cells
    middle = to_metres(LatLon(-17.0, 180.0))
    bounds = Bounds(middle.x - 1000, middle.y - 1000, middle.x + 1000, middle.y + 1000)
    nodes = nodes_over(bounds, step)
    column = np.arange(nodes.columns, dtype=np.float32)
    held = Heights(np.tile(column, (nodes.rows, 1)), cells, nodes.top, nodes.left, ())
    frame = LocalFrame(LatLon(-17.0, lon))
    east_m = LocalFrame(LatLon(-17.0, 180.0)).to_en(frame.origin)[0]
    per_node = held.about(frame, 50.0).step_en_m[0]
    wanted = -nodes.left + cells / 2 + east_m / per_node
    assert held.about(frame, 50.0).up_m(np.zeros((1, 2)))[0] == pytest.approx(wanted, abs=1e-3)
