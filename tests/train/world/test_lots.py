"""What is built stands in its block, has the roofs of its kind, and leaves room for cars where it should."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.train.world.straight import areas, corners, covers, margin_m, site, strips
from train.world import lots
from train.world.covers import SUMMER
from train.world.site import Site

SEEDS = range(5)
USES = (lots.houses, lots.flats, lots.shop, lots.industry)


def used(use: Callable[[Site], None], seed: int, length_m: float = 110.0, depth_m: float = 80.0) -> Site:
    block = site(length_m, depth_m, seed)
    use(block)
    return block


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("seed", SEEDS)
def test_buildings_stand_in_their_block(use: Callable[[Site], None], seed: int) -> None:
    block = used(use, seed)
    assert block.plan.buildings
    outline = block.outline()
    for building in block.plan.buildings:
        assert min(margin_m(outline, corner) for corner in corners(building)) > -2.5


@pytest.mark.parametrize("use", USES)
def test_every_cover_has_a_paint_and_the_same_seed_builds_the_same(use: Callable[[Site], None]) -> None:
    first, again, other = used(use, 1).plan, used(use, 1).plan, used(use, 2).plan
    assert covers(first) <= SUMMER.covers.keys()
    assert first.buildings == again.buildings != other.buildings


def test_houses_have_pitched_roofs_in_lawn_and_neighbours_do_not_stand_in_each_other() -> None:
    for seed in SEEDS:
        plan = used(lots.houses, seed).plan
        assert areas(plan, "lawn")
        houses = [b for b in plan.buildings if b.rise_m > 1.5 and b.length_m > 7]
        assert len(houses) >= 4
        middles = np.array([(b.x, b.y) for b in houses])
        apart = np.hypot(*(middles[:, None] - middles[None]).reshape(-1, 2).T).reshape(len(houses), -1)
        assert (apart + 99 * np.eye(len(houses))).min() > 3.0  # a house and its own wing


def test_a_thin_block_has_houses_along_one_street_and_a_deep_one_along_both() -> None:
    def rows(depth_m: float) -> int:
        """How many thirds of the depth have houses."""
        plan = used(lots.houses, 0, 140.0, depth_m).plan
        return len({int((b.y - 20) / depth_m * 3) for b in plan.buildings if b.length_m > 9})

    assert rows(32.0) == 1
    assert rows(80.0) == 2


def test_flats_and_shops_have_flat_roofs_and_room_for_cars() -> None:
    for use, least in ((lots.flats, 10), (lots.shop, 20)):
        plan = used(use, 3).plan
        assert all(b.rise_m == 0 for b in plan.buildings)
        assert len(plan.slots) >= least
        assert len(strips(plan, "line")) == len(plan.slots), "a line for each bay"
        assert areas(plan, "asphalt_old")


def test_bays_are_as_wide_as_a_car_and_a_deep_shop_has_twice_the_rows() -> None:
    shallow, deep = (used(lots.shop, 3, 110.0, depth).plan for depth in (60.0, 90.0))
    assert len(deep.slots) > 1.8 * len(shallow.slots) * 110 / 120
    xs = np.sort(np.unique(np.round([slot.x for slot in shallow.slots], 3)))
    assert np.diff(xs).min() == pytest.approx(2.55, abs=1e-6)


def test_halls_of_industry_are_large_and_stand_on_a_paved_yard() -> None:
    plan = used(lots.industry, 4, 140.0, 90.0).plan
    assert max(b.length_m * b.width_m for b in plan.buildings) > 600
    assert areas(plan, "concrete") or areas(plan, "asphalt_old")
    assert not areas(plan, "lawn")
