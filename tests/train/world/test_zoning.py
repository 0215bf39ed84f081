"""A plan follows its seed alone, lacks nothing that a world should have, and is built where its town is."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.world.straight import areas, covers
from train.world import lots, open_land
from train.world.plan import Area, Plan
from train.world.streets import LandBlock, lay_streets
from train.world.zoning import _misfit, _Wish, draw_plan

SEEDS = range(4)


def prints(plan: Plan) -> list[object]:
    """A plan by its bytes, since arrays do not compare."""
    ground = [(item.cover, (item.outline if isinstance(item, Area) else item.points).tobytes()) for item in plan.ground]
    return [ground, plan.buildings, plan.trees, plan.slots]


def test_the_same_seed_gives_the_same_plan_and_another_another() -> None:
    first, again, other = (prints(draw_plan(seed)) for seed in (7, 7, 8))
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_world_lacks_what_is_wished_for(seed: int) -> None:
    plan = draw_plan(seed)
    assert {"turf", "pond", "floor", "water", "concrete"} <= covers(plan)
    assert any(b.length_m > 30 and b.rise_m == 0 for b in plan.buildings), "a hall or a slab"
    assert len(plan.buildings) > 150
    assert len(plan.trees) > 1000
    assert len(plan.slots) > 60


@pytest.mark.parametrize("seed", SEEDS)
def test_houses_stand_in_the_town_and_fields_lie_around(seed: int) -> None:
    plan = draw_plan(seed)
    houses = np.array([(b.x, b.y) for b in plan.buildings if b.rise_m > 1.5])
    fields = np.concatenate([area.outline.mean(axis=0)[None] for cover in ("crop_wheat", "crop_maize", "crop_beet")
                             for area in areas(plan, cover)])  # fmt: skip
    town = np.median(houses, axis=0)
    near, far = (np.median(np.hypot(*(points - town).T)) for points in (houses, fields))
    assert near < 0.75 * far


def test_a_small_world_is_a_part_of_nothing_and_still_whole() -> None:
    plan = draw_plan(3, 200.0, 160.0)
    assert plan.buildings
    assert len(plan.roads) > 3
    assert covers(plan)


def test_a_wish_suits_a_block_of_its_size_and_place_best() -> None:
    streets = lay_streets(700.0, 600.0, np.random.default_rng(0))
    wish = _Wish(lots.shop, 0.6, 80, 70)
    a, b = streets.town

    def block(away_m: float, long_m: float, short_m: float) -> LandBlock:
        return LandBlock(a + away_m, b, a + away_m + long_m, b + short_m, (0, 0, 0, 0))

    fitting = min((_misfit(streets, block(away, 80, 70), wish), away) for away in range(0, 400, 20))
    assert 0.5 < streets.townness(block(fitting[1], 80, 70)) < 0.7
    assert fitting[0] < _misfit(streets, block(fitting[1], 160, 70), wish)
    assert fitting[0] < _misfit(streets, block(fitting[1], 80, 35), wish)
    assert _misfit(streets, block(0, 70, 80), wish) == _misfit(
        streets, block(0, 70, 80), _Wish(open_land.park, 0.6, 80, 70)
    )
