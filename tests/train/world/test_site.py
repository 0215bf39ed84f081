"""Along a street and away from it: the four fronts of a block agree on where the ground is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.train.world.straight import area_m2, site
from train.world.plan import Area


def test_a_block_is_as_long_as_its_longer_side_and_as_deep_as_the_other() -> None:
    for block in (site(80.0, 50.0), site(50.0, 80.0)):
        for front in block.fronts():
            assert (front.length_m, front.depth_m) == (80.0, 50.0)


def test_both_fronts_measure_from_their_own_street() -> None:
    near, far = site(80.0, 50.0).fronts()
    assert near.xy(0, 0) == pytest.approx([10.0, 20.0])
    assert far.xy(0, 0) == pytest.approx([10.0, 70.0])
    assert near.xy(30, 50) == pytest.approx(far.xy(30, 0)), "the back of one is the front of the other"
    near, far = site(50.0, 80.0).fronts()  # longer along b
    assert near.xy(30, 0) == pytest.approx([10.0, 50.0])
    assert far.xy(30, 0) == pytest.approx([60.0, 50.0])


def test_the_street_runs_along_the_longer_side() -> None:
    assert site(80.0, 50.0).fronts()[0].along_rad(40, 0) == pytest.approx(0.0)
    assert site(50.0, 80.0).fronts()[0].along_rad(40, 0) == pytest.approx(math.pi / 2)


@pytest.mark.parametrize(("length_m", "depth_m"), [(80.0, 50.0), (50.0, 80.0)])
def test_the_outline_of_a_block_has_its_area_from_every_front(length_m: float, depth_m: float) -> None:
    block = site(length_m, depth_m)
    for front in (block, *block.fronts()):
        assert area_m2(front.outline()) == pytest.approx(80 * 50)
        assert area_m2(front.patch(5, 10, 25, 22)) == pytest.approx(20 * 12)


def test_a_line_across_leaves_the_street_at_a_right_angle() -> None:
    front = site(80.0, 50.0).fronts()[1]
    line = front.across(12, 0, 9)
    assert line[[0, -1]] == pytest.approx(np.array([[22.0, 70.0], [22.0, 61.0]]))


def test_a_car_stands_with_its_nose_to_the_street_and_a_tree_is_as_high_as_its_crown_suggests() -> None:
    front = site(80.0, 50.0).fronts()[0]
    front.slot(20, 5)
    (slot,) = front.plan.slots
    assert (slot.x, slot.y) == (30.0, 25.0)
    assert math.cos(slot.along_rad - front.along_rad(20, 5)) == pytest.approx(0.0, abs=1e-9)
    front.plant(front.xy(1, 1), "oak", 3.0)
    front.plant(front.xy(2, 2), "oak", 3.0, 20.0)
    assert [tree.height_m for tree in front.plan.trees] == [8.0, 20.0]


def test_what_is_added_through_a_front_is_in_the_plan_of_the_block() -> None:
    block = site(80.0, 50.0)
    front = block.front()
    front.cover("lawn", front.outline(), 0.5)
    front.strip("gravel", front.across(5, 0, 20), 2.0, 0.3)
    area, strip = block.plan.ground
    assert isinstance(area, Area)
    assert (area.cover, area.along_rad) == ("lawn", 0.5)
    assert strip.cover == "gravel"


def test_chance_and_picks_follow_the_seed_alone() -> None:
    draws = []
    for seed in (5, 5, 6):
        block = site(80.0, 50.0, seed)
        draws.append([(block.chance(0.5), block.pick("a", "b", "c"), block.uniform(2, 3)) for _ in range(40)])
    assert draws[0] == draws[1] != draws[2]
    assert {pick for _, pick, _ in draws[0]} == {"a", "b", "c"}
    assert all(2 <= value <= 3 for *_, value in draws[0])
    assert 8 < sum(hit for hit, *_ in draws[0]) < 32
