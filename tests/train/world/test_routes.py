"""Roads carry the marks of their kind, the river its banks, and the bridge lies where both meet."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.world.straight import strips
from train.world.plan import Plan, Strip
from train.world.routes import lay_bridge, lay_river, lay_road
from train.world.streets import MAIN_ROAD_M, PAVEMENT_M, RIVER_M, STREET_M

EASTWARDS = np.column_stack([np.arange(0.0, 301.0, 3.0), np.full(101, 150.0)])
SOUTHWARDS = EASTWARDS[:, ::-1].copy()


def laid(road: Strip, seed: int = 0) -> Plan:
    plan = Plan(300.0, 300.0, seed)
    lay_road(plan, road, np.random.default_rng(seed))
    return plan


def marks(plan: Plan) -> list[Strip]:
    return [mark for mark in plan.markings if isinstance(mark, Strip)]


def test_a_track_has_nothing_painted_and_nobody_parks_on_it() -> None:
    plan = laid(Strip("dirt", EASTWARDS, 3.0))
    assert plan.roads == [Strip("dirt", EASTWARDS, 3.0)]
    assert not (plan.markings or plan.slots or plan.trees)


def test_the_main_road_has_a_dashed_middle_and_a_line_at_each_side() -> None:
    plan = laid(Strip("asphalt", EASTWARDS, MAIN_ROAD_M))
    assert plan.roads[0].cover == "asphalt"
    middle, left, right = marks(plan)
    assert middle.dash_m == (3.0, 6.0)
    assert np.array_equal(middle.points, EASTWARDS)
    assert {round(float(mark.points[50, 1] - 150), 2) for mark in (left, right)} == {-4.35, 4.35}
    assert not plan.slots


def test_cars_park_at_one_kerb_of_a_street_along_it() -> None:
    plan = laid(Strip("asphalt", EASTWARDS, STREET_M))
    assert len(plan.slots) > 5
    sides = {round(slot.y - 150, 2) for slot in plan.slots}
    assert sides in ({1.8}, {-1.8}), "1.1 m from the kerb, which is 2.9 m from the middle"
    assert all(slot.along_rad == pytest.approx(0.0) for slot in plan.slots)


def test_a_zebra_crosses_where_a_street_meets_the_main_road_and_nowhere_else() -> None:
    meets = MAIN_ROAD_M / 2 + PAVEMENT_M + 0.5
    plain, crossing = (
        laid(Strip("asphalt", EASTWARDS, STREET_M)),
        laid(Strip("asphalt", EASTWARDS, STREET_M, trim_m=(meets, 2.0))),
    )
    zebras = [mark for mark in marks(crossing) if mark.dash_m == (0.5, 0.5)]
    assert len(zebras) == 1
    assert not [mark for mark in marks(plain) if mark.dash_m == (0.5, 0.5)]
    zebra = zebras[0].points
    assert np.ptp(zebra[:, 0]) < 0.1, "it runs across the street"
    assert zebra[:, 0].mean() == pytest.approx(meets + 1.5, abs=0.1)
    assert np.ptp(zebra[:, 1]) == pytest.approx(STREET_M - 0.6, abs=0.01)


def test_a_short_street_has_no_zebra() -> None:
    short = laid(Strip("asphalt", EASTWARDS[:12], STREET_M, trim_m=(9.0, 9.0)))
    assert not [mark for mark in marks(short) if mark.dash_m == (0.5, 0.5)]


def test_a_river_is_water_between_banks_with_trees_that_do_not_stand_in_it() -> None:
    plan = Plan(300.0, 300.0, 0)
    lay_river(plan, SOUTHWARDS, np.random.default_rng(0))
    widths = [strips(plan, cover)[0].width_m for cover in ("meadow", "scrub", "bank", "water")]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == RIVER_M
    order = [item.cover for item in plan.ground]
    assert order.index("water") > order.index("bank") > order.index("scrub"), "the narrower over the wider"
    away = np.abs([tree.x - 150 for tree in plan.trees])
    assert len(away) > 40
    assert np.percentile(away, 5) > RIVER_M / 2 + 3


def test_a_bridge_lies_where_road_and_river_meet_above_the_water() -> None:
    plan = Plan(300.0, 300.0, 0)
    lay_bridge(plan, EASTWARDS, SOUTHWARDS)
    deck, road, *walls = marks(plan)
    assert (deck.cover, road.cover, [wall.cover for wall in walls]) == ("concrete", "asphalt", ["wall", "wall"])
    assert deck.points.mean(axis=0) == pytest.approx([150.0, 150.0], abs=3.0)
    assert np.ptp(deck.points[:, 0]) > 2 * RIVER_M
    assert deck.width_m > road.width_m == MAIN_ROAD_M
    assert all(wall.height_m > deck.height_m > 0 for wall in walls)
    assert {round(float(wall.points[5, 1] - 150), 2) for wall in walls} == {-6.35, 6.35}


def test_the_deck_is_painted_before_the_marks_of_the_road() -> None:
    plan = laid(Strip("asphalt", EASTWARDS, MAIN_ROAD_M))
    before = len(plan.markings)
    lay_bridge(plan, EASTWARDS, SOUTHWARDS)
    assert [mark.cover for mark in marks(plan)][:2] == ["concrete", "asphalt"]
    assert len(plan.markings) == before + 4
