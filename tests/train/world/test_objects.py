"""Roofs rise to their ridge, cars come and go with the date, and the higher crown hides the lower."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from train.world.canvas import Canvas
from train.world.covers import AUTUMN, SUMMER
from train.world.objects import paint_building, paint_cars, paint_trees
from train.world.plan import Building, Plan, Slot, Tree

GSD_M = 0.125
HOUSE = Building(15.0, 12.0, 0.0, 12.0, 8.0, 5.0, 3.0, "roof_red", 1)
HALL = Building(15.0, 12.0, 0.3, 20.0, 10.0, 7.0, 0.0, "roof_gravel", 2)
BOXES_M = 2.0  # what chimneys and units add at most


@pytest.fixture
def canvas() -> Canvas:
    return Canvas(30.0, 24.0, GSD_M)


def height_at(canvas: Canvas, x: float, y: float) -> float:
    return float(canvas.height[int(y / GSD_M), int(x / GSD_M)])


def test_a_pitched_roof_is_highest_along_its_ridge_and_has_its_eaves_at_the_rim(canvas: Canvas) -> None:
    paint_building(canvas, HOUSE, SUMMER)
    along_ridge = [height_at(canvas, x, 12.0) for x in np.arange(9.5, 20.5, 0.25)]
    at_eaves = [height_at(canvas, x, y) for x in np.arange(9.5, 20.5, 0.25) for y in (8.1, 15.9)]
    assert np.median(along_ridge) == pytest.approx(8.0, abs=0.15)
    assert np.median(at_eaves) == pytest.approx(5.0, abs=0.2)
    assert (canvas.height > 0).sum() * GSD_M**2 == pytest.approx(12 * 8, rel=0.03)
    assert canvas.height.max() < 8.0 + BOXES_M


def test_a_hipped_roof_falls_to_its_ends_as_well(canvas: Canvas) -> None:
    paint_building(canvas, replace(HOUSE, hipped=True), SUMMER)
    assert height_at(canvas, 9.2, 12.0) == pytest.approx(5.0, abs=0.3)
    assert height_at(canvas, 11.0, 12.0) == pytest.approx(5.0 + 3.0 * 2 / 4, abs=0.3)


def test_a_flat_roof_has_a_rim_around_it(canvas: Canvas) -> None:
    paint_building(canvas, HALL, SUMMER)
    standing = canvas.height[canvas.height > 0]
    assert np.median(standing) == pytest.approx(7.0)
    assert 7.5 in standing
    assert standing.size * GSD_M**2 == pytest.approx(20 * 10, rel=0.03)


def test_one_building_in_some_stands_on_the_later_date_alone(canvas: Canvas) -> None:
    paint_building(canvas, replace(HOUSE, seed=37 * 3), SUMMER)
    assert not canvas.height.any()
    paint_building(canvas, replace(HOUSE, seed=37 * 3), AUTUMN)
    assert canvas.height.any()


def test_a_house_looks_the_same_on_both_dates_unless_its_roof_was_renewed() -> None:
    changed = []
    for seed in range(1, 120):
        if seed % 37 == 0:
            continue
        pictures = [Canvas(30.0, 24.0, 0.5) for _ in range(2)]
        for canvas, date in zip(pictures, (SUMMER, AUTUMN), strict=True):
            paint_building(canvas, replace(HOUSE, roof="roof_slate", seed=seed), date)
        assert np.array_equal(pictures[0].height, pictures[1].height)
        changed.append(not np.array_equal(pictures[0].colour, pictures[1].colour))
    assert 0.01 < np.mean(changed) < 0.15


def test_what_lies_outside_is_not_painted(canvas: Canvas) -> None:
    paint_building(canvas, replace(HOUSE, x=-50.0), SUMMER)
    paint_cars(canvas, [Slot(-50.0, 5.0, 0.0, k) for k in range(20)], SUMMER)
    assert not canvas.height.any()


def slots(count: int) -> list[Slot]:
    return [Slot(4.0 + 6.0 * (k % 20), 4.0 + 4.0 * (k // 20), 0.0, k) for k in range(count)]


def cars(date_seed: int, occupancy: float = 0.5) -> np.ndarray:
    """Tell which of 400 slots have a car."""
    canvas = Canvas(125.0, 90.0, 0.25)
    paint_cars(canvas, slots(400), replace(SUMMER, seed=date_seed, occupancy=occupancy))
    return np.array([canvas.height[int(slot.y / 0.25), int(slot.x / 0.25)] > 0 for slot in slots(400)])


@pytest.mark.parametrize("occupancy", [0.0, 0.3, 0.8])
def test_a_share_of_the_slots_has_a_car(occupancy: float) -> None:
    assert np.mean(cars(1, occupancy)) == pytest.approx(occupancy, abs=0.08)


def test_other_cars_stand_there_on_another_date() -> None:
    first, again, other = cars(1), cars(1), cars(2)
    assert np.array_equal(first, again)
    assert np.mean(first == other) == pytest.approx(0.5, abs=0.1), "as if tossed again"


def test_a_car_is_as_long_and_wide_as_a_car_and_lower_than_a_man() -> None:
    canvas = Canvas(16.0, 16.0, 0.05)
    paint_cars(canvas, [Slot(8.0, 8.0, 0.0, 3)], replace(SUMMER, occupancy=1.0))
    rows, columns = np.nonzero(canvas.height)
    assert 3.7 < np.ptp(columns) * 0.05 < 5.1
    assert 1.6 < np.ptp(rows) * 0.05 < 2.4
    assert set(np.unique(canvas.height).tolist()) == {0.0, np.float32(0.85), np.float32(1.45)}


def test_the_higher_crown_hides_the_lower_whatever_their_order() -> None:
    low, high = Tree(10.0, 10.0, 3.0, 5.0, "roof_white"), Tree(11.0, 10.0, 3.0, 15.0, "spruce")
    heights = []
    for trees in ([low, high], [high, low]):
        canvas = Canvas(20.0, 20.0, 0.1)
        paint_trees(canvas, Plan(20.0, 20.0, 0, trees=trees), SUMMER)
        heights.append(canvas.height.copy())
        assert canvas.height.max() == pytest.approx(15.0 * 1.1, rel=0.2)
        at = canvas.colour[100, 110].astype(int)
        assert np.abs(at - SUMMER.covers["spruce"].rgb).max() < 45
    assert (heights[0] > 0).sum() == pytest.approx((heights[1] > 0).sum(), rel=0.1)


def test_a_crown_at_the_rim_is_cut_and_one_outside_is_not_there() -> None:
    canvas = Canvas(20.0, 20.0, 0.1)
    outside = [Tree(-9.0, 10.0, 3.0, 9.0, "oak"), Tree(30.0, 10.0, 3.0, 9.0, "oak"), Tree(10.0, 31.0, 3.0, 9.0, "oak")]
    paint_trees(canvas, Plan(20.0, 20.0, 0, trees=outside), SUMMER)
    assert not canvas.height.any()
    paint_trees(canvas, Plan(20.0, 20.0, 0, trees=[Tree(0.0, 10.0, 3.0, 9.0, "oak")]), SUMMER)
    covered = np.nonzero(canvas.height)[1]
    assert covered.min() == 0
    assert 20 < covered.max() < 34
