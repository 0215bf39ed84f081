"""The grid over the whole map, against slow loops and what probability demands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.locate.place_grid import PlaceGrid, TileLikelihood

HALF_M = 1000.0
TILES = np.stack(np.meshgrid(np.arange(-990.0, 991.0, 16.0), np.arange(-990.0, 991.0, 16.0)), axis=2).reshape(-1, 2)
DOWN = (0.0, 0.0)


def anywhere() -> PlaceGrid:
    return PlaceGrid(np.full(2, -HALF_M), np.full(2, HALF_M))


def at(east_m: float, north_m: float, sigma_m: float = 25.0) -> PlaceGrid:
    grid = anywhere()
    grid.see_position(np.array([east_m, north_m]), np.eye(2) * sigma_m**2, 1e-6)
    return grid


def like(*places: tuple[float, float], axis_en_m: tuple[float, float] = DOWN) -> TileLikelihood:
    """Tiles that look like the frame at these places, and nowhere else."""
    away = np.min([np.linalg.norm(TILES - np.array(place), axis=1) for place in places], axis=0)
    return TileLikelihood(TILES, (20.0 * np.exp(-((away / 30.0) ** 2))).astype(np.float32), axis_en_m, 64.0, 16.0)


def see(grid: PlaceGrid, score: TileLikelihood) -> None:
    grid.see([score], 0.2, 60.0)


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0, 60))
def test_motion_carries_the_likeliest_place_and_widens_it(east: float, north: float, sigma_m: float) -> None:
    grid = at(100.0, -200.0)
    before = grid.mode()
    assert before.position_en_m == pytest.approx([100.0, -200.0], abs=1.0)
    grid.predict(np.array([east, north]), sigma_m**2)
    after = grid.mode()
    assert after.position_en_m == pytest.approx([100.0 + east, -200.0 + north], abs=4.0)
    assert after.probability <= before.probability + 1e-6
    if sigma_m <= 15.0:  # wider than that and the mode's rim cuts it off
        expected = before.cov_m2[0, 0] + sigma_m**2
        assert after.cov_m2[0, 0] == pytest.approx(expected, rel=0.2)


def test_a_position_is_taken_in_as_wide_as_it_is() -> None:
    mode = at(50.0, 60.0, sigma_m=15.0).mode()
    assert mode.position_en_m == pytest.approx([50.0, 60.0], abs=0.5)
    assert np.sqrt(np.diag(mode.cov_m2)) == pytest.approx([16.3, 16.3], rel=0.05)  # a cell's own width comes on top
    assert mode.probability > 0.98


@pytest.mark.parametrize("axis_en_m", [DOWN, (110.0, 0.0), (-40.0, 95.0)])
def test_the_drone_is_where_the_axis_comes_from(axis_en_m: tuple[float, float]) -> None:
    grid = anywhere()
    for _ in range(3):
        see(grid, like((300.0, 200.0), axis_en_m=axis_en_m))
    wanted = np.array([300.0, 200.0]) - axis_en_m
    assert grid.mode().position_en_m == pytest.approx(wanted, abs=7.0)  # tiles lie in cells of 11 m


def test_frames_that_look_like_several_places_look_like_one_together() -> None:
    """It flies east; each frame has two doubles, elsewhere each time."""
    grid = anywhere()
    rng = np.random.default_rng(0)
    for k in range(6):
        if k:
            grid.predict(np.array([60.0, 0.0]), 5.0**2)
        true = (-300.0 + 60.0 * k, 100.0)
        see(grid, like(true, *(tuple(rng.uniform(-900, 900, 2)) for _ in range(2))))
        if k == 0:
            assert grid.mode().probability < 0.5
    assert grid.mode().probability > 0.95
    assert grid.mode().position_en_m == pytest.approx(true, abs=8.0)


def test_doubles_that_move_along_stay_undecided() -> None:
    """A map that repeats itself never says which of its copies it is."""
    grid = anywhere()
    for k in range(10):
        if k:
            grid.predict(np.array([60.0, 0.0]), 5.0**2)
        see(grid, like((-300.0 + 60.0 * k, 100.0), (-300.0 + 60.0 * k, -400.0)))
    assert grid.mode().probability < 0.7


def test_a_wrong_belief_is_left() -> None:
    grid = at(-700.0, -700.0, sigma_m=5.0)
    for _ in range(6):
        grid.predict(np.zeros(2), 5.0**2)
        see(grid, like((500.0, 400.0)))
    assert grid.mode().position_en_m == pytest.approx([500.0, 400.0], abs=8.0)
    assert grid.mode().probability > 0.9


def test_one_heading_of_many_is_right() -> None:
    """Where the heading is unknown, what the others make of the frame counts for less."""
    grid = anywhere()
    wrong = TileLikelihood(TILES, np.full(len(TILES), 5.0, np.float32), (0.0, -80.0), 64.0, 16.0)
    for _ in range(3):
        grid.see([wrong, like((300.0, 200.0), axis_en_m=(80.0, 0.0)), wrong], 0.2, 60.0)
    assert grid.mode().position_en_m == pytest.approx([220.0, 200.0], abs=7.0)


def test_flying_off_the_map_leaves_no_certainty() -> None:
    grid = at(900.0, 0.0)
    grid.predict(np.array([5000.0, 0.0]), 10.0**2)
    assert grid.mode().probability < 0.05


def slow_prior(grid: PlaceGrid, score: TileLikelihood) -> NDArray[np.float64]:
    """Every cell's share, spread over the ground by hand."""
    low, cell = grid._low, grid._cell_m
    rows, columns = np.indices(grid._p.shape)
    cells = np.stack([columns, rows], axis=2).reshape(-1, 2) * cell + low
    p, found = grid._p.ravel().astype(np.float64), []
    for drone in score.place_en_m - np.asarray(score.axis_en_m):
        nearest = np.rint((drone - low) / cell) * cell + low
        away2 = ((cells - nearest) ** 2).sum(axis=1)
        found.append((p * np.exp(-away2 / 2 / (score.footprint_m / 4) ** 2)).sum())
    return np.log(np.maximum(np.array(found) / max(found), math.exp(-8.0)))


def test_the_prior_of_tiles_is_that_of_a_slow_loop() -> None:
    grid = at(100.0, 50.0)
    see(grid, like((130.0, 60.0), (-400.0, 300.0)))
    rng = np.random.default_rng(1)
    near = TileLikelihood(
        rng.normal((180.0, 50.0), 40.0, (60, 2)),
        np.zeros(60, np.float32),
        (80.0, 0.0),
        64.0,
        16.0,
    )
    fast, slow = grid.log_prior(near), slow_prior(grid, near)
    told = slow > -6.0
    assert 10 < told.sum() < 60
    assert (fast - fast.max())[told] == pytest.approx(slow[told], abs=0.1)
    assert fast.min() == pytest.approx(-8.0), "nowhere is quite impossible"
    assert -1.0 < fast.max() <= 0.0
