"""Hills are as high as asked for, and the terrain model has them where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from runtime.geo.mercator import to_metres
from train.world.flight import GROUND_MSL_M, SMALL, place
from train.world.hills import draw_hills, write_dem


@pytest.mark.parametrize("relief_m", [5.0, 60.0])
def test_the_relief_is_what_was_asked_for_from_the_ground_up(relief_m: float) -> None:
    height_m = draw_hills(SMALL, relief_m).height_m
    assert (float(height_m.min()), float(np.ptp(height_m))) == pytest.approx((GROUND_MSL_M, relief_m), abs=1e-3)


def test_hills_follow_the_seed_and_reach_beyond_the_world() -> None:
    first, again, other = (draw_hills(replace(SMALL, seed=seed), 30.0) for seed in (1, 1, 2))
    assert np.array_equal(first.height_m, again.height_m)
    assert not np.array_equal(first.height_m, other.height_m)
    rows, columns = first.height_m.shape
    assert (columns - 1) * 5.0 >= SMALL.width_m + 2 * 200.0 - 5.0
    assert (rows - 1) * 5.0 >= SMALL.height_m + 2 * 200.0 - 5.0


def test_slopes_are_those_of_hills_and_not_of_walls() -> None:
    height_m = draw_hills(SMALL, 40.0).height_m
    steepest = max(float(np.abs(np.diff(height_m, axis=axis)).max()) / 5.0 for axis in (0, 1))
    assert 0.05 < steepest < 0.8


def test_the_terrain_model_has_each_height_at_its_place(tmp_path: Path) -> None:
    terrain = draw_hills(SMALL, 40.0)
    write_dem(tmp_path / "dem.tif", terrain)
    with rasterio.open(tmp_path / "dem.tif") as file:
        assert (file.crs.to_epsg(), file.dtypes) == (3857, ("float32",))
        for row, column in ((0, 0), (40, 40), (60, 75)):
            east = terrain.north_west_en_m[0] + column * 5.0
            south = -terrain.north_west_en_m[1] + row * 5.0
            point = to_metres(place(east, south))
            (value,) = next(file.sample([(point.x, point.y)]))
            assert value == pytest.approx(terrain.height_m[row, column], abs=0.05)
