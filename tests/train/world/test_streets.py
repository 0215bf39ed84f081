"""Blocks lie between streets and never on each other; the bend is smooth and knows its own direction."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from train.world.plan import lengths
from train.world.streets import MAIN_ROAD_M, PAVEMENT_M, Bend, LandBlock, Streets, lay_streets

SEEDS = range(4)


def laid(seed: int) -> Streets:
    return lay_streets(700.0, 600.0, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_blocks_share_ground(seed: int) -> None:
    for first, second in combinations(laid(seed).blocks, 2):
        apart = first.a1 <= second.a0 or second.a1 <= first.a0 or first.b1 <= second.b0 or second.b1 <= first.b0
        assert apart, (first, second)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_block_has_room_and_blocks_of_the_town_are_smaller(seed: int) -> None:
    streets = laid(seed)
    assert all(min(block.size) > 10 for block in streets.blocks)
    areas = {True: [], False: []}  # type: dict[bool, list[float]]
    for block in streets.blocks:
        areas[streets.is_town(block)].append(math.prod(block.size))
    assert len(areas[True]) >= 5
    assert np.median(areas[True]) < 0.5 * np.median(areas[False])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_middle_of_the_street_lies_beyond_a_block_by_its_gap(seed: int) -> None:
    """A street is drawn from a split: its line in (a, b) is the border of the two halves, a gap away from each."""
    streets = laid(seed)
    roads = np.concatenate([road.points for road in streets.roads])
    for block in streets.blocks:
        a, b = block.centre
        middles = {0: (block.a0 - block.gaps[0], b), 1: (a, block.b0 - block.gaps[1])}
        middles |= {2: (block.a1 + block.gaps[2], b), 3: (a, block.b1 + block.gaps[3])}
        for side, place in middles.items():
            if block.gaps[side]:  # 0 at the world's rim and at the river
                away = np.hypot(*(roads - streets.bend(np.array([place]))).T).min()
                assert away < 2.5, "points of a road are 3 m apart"


def test_the_main_road_comes_first_and_has_blocks_on_both_sides() -> None:
    streets = laid(1)
    assert streets.roads[0].width_m == MAIN_ROAD_M
    gap = MAIN_ROAD_M / 2 + PAVEMENT_M
    assert {side for block in streets.blocks for side in (1, 3) if block.gaps[side] == gap} == {1, 3}


def test_the_town_is_densest_in_its_middle_and_fades_away() -> None:
    streets = laid(0)
    a, b = streets.town
    values = [streets.townness(LandBlock(a + d, b, a + d, b, (0, 0, 0, 0))) for d in (0, 100, 200, 400, 800)]
    assert values[0] == 1.0
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bend_tells_the_direction_in_which_its_lines_run(seed: int) -> None:
    bend = Bend.drawn(700.0, 600.0, np.random.default_rng(seed))
    for a, b in ((0.0, 0.0), (150.0, -80.0), (-200.0, 120.0)):
        ahead, behind = bend(np.array([[a + 0.01, b], [a - 0.01, b]]))
        assert bend.along_rad(a, b) == pytest.approx(math.atan2(*(ahead - behind)[::-1]), abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bend_neither_folds_nor_tears_the_land(seed: int) -> None:
    bend = Bend.drawn(700.0, 600.0, np.random.default_rng(seed))
    for a in range(-400, 401, 100):
        for b in range(-400, 401, 100):
            here, east, south = bend(np.array([[a, b], [a + 1, b], [a, b + 1]], float))
            area = np.linalg.det(np.array([east - here, south - here]))
            assert 0.3 < area < 2.0


def test_a_bent_line_begins_and_ends_where_it_says_and_has_a_point_every_3_m() -> None:
    bend = Bend.drawn(700.0, 600.0, np.random.default_rng(0))
    line = bend.line(-50.0, 20.0, 100.0, 20.0)
    assert line[[0, -1]] == pytest.approx(bend(np.array([[-50.0, 20.0], [100.0, 20.0]])))
    assert np.diff(lengths(line)).max() < 4.5
    assert len(bend.line(0, 0, 0.5, 0)) == 2


def test_the_river_runs_between_the_blocks() -> None:
    streets = laid(2)
    for block in streets.blocks:
        outline = streets.bend(np.array([(block.a0, block.b0), (block.a1, block.b0), (block.a1, block.b1),
                                         (block.a0, block.b1), block.centre]))  # fmt: skip
        assert np.hypot(*(outline[:, None] - streets.river[None]).reshape(-1, 2).T).min() > 10
