"""A whole plan from a seed: streets first, then a use for each block."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from train.world import lots, open_land
from train.world.plan import Plan
from train.world.routes import lay_bridge, lay_river, lay_road
from train.world.site import Site
from train.world.streets import LandBlock, Streets, lay_streets

_Use = Callable[[Site], None]


class _Wish(NamedTuple):
    """A use that no world should lack, and the block that it would like."""

    use: _Use
    townness: float
    long_m: float
    short_m: float


_WISHES = (
    _Wish(open_land.pitch, 0.45, 125, 80),
    _Wish(lots.shop, 0.6, 80, 70),
    _Wish(open_land.park, 0.75, 90, 70),
    _Wish(lots.industry, 0.4, 110, 70),
    _Wish(lots.flats, 0.8, 80, 60),
    _Wish(open_land.allotments, 0.5, 80, 60),
    _Wish(open_land.wood, 0.05, 150, 130),
    _Wish(open_land.farm, 0.1, 130, 110),
    _Wish(lots.industry, 0.4, 90, 70),
    _Wish(open_land.wood, 0.2, 120, 100),
    _Wish(open_land.orchard, 0.25, 100, 80),
)
_TOWN: tuple[tuple[_Use, float], ...] = (
    (lots.houses, 0.82),
    (lots.flats, 0.08),
    (lots.shop, 0.05),
    (open_land.park, 0.05),
)
_COUNTRY: tuple[tuple[_Use, float], ...] = (
    (open_land.fields, 0.8),
    (open_land.wood, 0.12),
    (open_land.orchard, 0.08),
)


def draw_plan(seed: int, width_m: float = 700.0, height_m: float = 600.0) -> Plan:
    """Draw a town at a river with fields and woods around; the same seed gives the same plan."""
    rng = np.random.default_rng(seed)
    plan = Plan(width_m, height_m, seed)
    streets = lay_streets(width_m, height_m, rng)
    for block, use in _uses(streets, width_m, height_m, rng):
        use(Site(plan, streets.bend, block, rng))
    lay_river(plan, streets.river, rng)
    for road in streets.roads:
        lay_road(plan, road, rng)
    lay_bridge(plan, streets.roads[0].points, streets.river)
    return plan


def _uses(streets: Streets, width_m: float, height_m: float, rng: np.random.Generator) -> list[tuple[LandBlock, _Use]]:
    """Give the wishes first the blocks that fit them best, then each other block what its place suggests."""
    middles = streets.bend(np.array([block.centre for block in streets.blocks]))
    from_middle = np.abs(middles - (width_m / 2, height_m / 2)) / (width_m, height_m)
    free = [block for block, far in zip(streets.blocks, from_middle.max(axis=1), strict=True) if far < 0.62]
    chosen: list[tuple[LandBlock, _Use]] = []
    for wish in _WISHES[: len(free) // 3]:
        best = free.pop(int(np.argmin([_misfit(streets, block, wish) for block in free])))
        chosen.append((best, wish.use))
    for block in free:
        uses, shares = zip(*(_TOWN if streets.is_town(block) else _COUNTRY), strict=True)
        chosen.append((block, uses[int(rng.choice(len(uses), p=shares))]))
    return chosen


def _misfit(streets: Streets, block: LandBlock, wish: _Wish) -> float:
    """Return how badly a block suits a wish."""
    short, long = sorted(block.size)
    place = 1.5 * abs(streets.townness(block) - wish.townness)
    return float(place + abs(np.log(long / wish.long_m)) + 2 * abs(np.log(short / wish.short_m)))
