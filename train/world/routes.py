"""Roads with their markings, cars and trees; the river with its banks; the bridge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from runtime.types import FloatArray
from train.world.plan import Plan, Slot, Strip, Tree, beside, lengths
from train.world.streets import MAIN_ROAD_M, PAVEMENT_M, RIVER_M


def lay_river(plan: Plan, river: FloatArray, rng: np.random.Generator) -> None:
    """Lay water between banks, bushes and trees along it, a path on one side."""
    shore_m = RIVER_M / 2
    for cover, width_m in (("meadow", 30.0), ("scrub", 9.0), ("bank", 3.5), ("water", 0.0)):
        plan.ground.append(Strip(cover, river, RIVER_M + width_m))
    plan.ground.append(Strip("gravel", beside(river, shore_m + 13), 2.2))
    for away_m in (-9.5, -6.5, 6.5, 9.5):
        for x, y in beside(river, away_m + np.sign(away_m) * shore_m):
            if rng.random() < 0.38 + 0.25 * np.sin(x / 37 + y / 53 + np.sign(away_m)):
                radius, kind = float(rng.gamma(9, 0.3)) + 0.5, str(rng.choice(["lime", "oak", "oak", "beech"]))
                dx, dy = rng.normal(0, 1.2, 2)
                plan.trees.append(Tree(float(x + dx), float(y + dy), radius, 2 + 2.1 * radius, kind))


def lay_road(plan: Plan, road: Strip, rng: np.random.Generator) -> None:
    """Lay a road with what is painted on it and stands beside it; tracks have nothing."""
    if road.cover == "dirt":
        plan.roads.append(road)
        return
    main = road.width_m == MAIN_ROAD_M
    plan.roads.append(replace(road, cover="asphalt" if main or rng.random() < 0.55 else "asphalt_old"))
    if main:
        plan.markings.append(replace(road, cover="line", width_m=0.18, dash_m=(3.0, 6.0)))
        for side in (-1, 1):
            plan.markings.append(Strip("line", beside(road.points, side * (road.width_m / 2 - 0.4)), 0.14))
    else:
        _mark_street(plan, road)
    side = int(rng.choice([-1, 1]))
    if not main:
        _park(plan, beside(road.points, side * (road.width_m / 2 - 1.1)), rng)
    if rng.random() < (0.9 if main else 0.3):
        for x, y in beside(road.points, -side * (road.width_m / 2 + 1.3))[4:-4:4]:
            if rng.random() < 0.7:
                radius = float(rng.uniform(1.5, 2.8))
                plan.trees.append(Tree(float(x), float(y), radius, 2.5 + 1.6 * radius, "lime"))


def _mark_street(plan: Plan, road: Strip) -> None:
    """Paint a dashed line in the middle, and a zebra crossing where the street meets the main road."""
    start, end = road.trim_m
    plan.markings.append(
        replace(road, cover="line", width_m=0.12, dash_m=(1.5, 4.5), trim_m=(start + 3, end + 3)),
    )
    if lengths(road.points)[-1] < 40:
        return
    for trim, points in ((start, road.points), (end, road.points[::-1])):
        if trim > MAIN_ROAD_M / 2 + PAVEMENT_M:
            _mark_zebra(plan, points, trim + 1.5, road.width_m)


def _mark_zebra(plan: Plan, points: FloatArray, at_m: float, width_m: float) -> None:
    """Paint a zebra crossing ``at_m`` along a street."""
    length = lengths(points)
    start, ahead = (np.array([np.interp(at, length, points[:, k]) for k in (0, 1)]) for at in (at_m, at_m + 1))
    across = np.array([start[1] - ahead[1], ahead[0] - start[0]]) * (width_m / 2 - 0.3)
    plan.markings.append(Strip("line", np.linspace(start - across, start + across, 9), 3.0, dash_m=(0.5, 0.5)))


def _park(plan: Plan, kerb: FloatArray, rng: np.random.Generator) -> None:
    """Place slots for cars along a kerb."""
    for k in range(5, len(kerb) - 5, 2):
        if rng.random() < 0.3:
            (x, y), (dx, dy) = kerb[k], kerb[k + 1] - kerb[k]
            plan.slots.append(Slot(float(x), float(y), float(np.arctan2(dy, dx)), int(rng.integers(1, 1 << 31))))


def lay_bridge(plan: Plan, road: FloatArray, river: FloatArray) -> None:
    """Lay a deck above the water where the main road meets the river, with parapets."""
    apart = road[:, None] - river[None]  # (N, M, 2)
    k = int(np.hypot(apart[..., 0], apart[..., 1]).min(axis=1).argmin())
    span = road[max(k - 5, 0) : k + 6]
    plan.markings.insert(0, Strip("concrete", span, MAIN_ROAD_M + 2 * PAVEMENT_M + 0.8, 3.0))
    plan.markings.insert(1, Strip("asphalt", span, MAIN_ROAD_M, 3.0))
    for side in (-1, 1):
        plan.markings.append(Strip("wall", beside(span, side * (MAIN_ROAD_M / 2 + PAVEMENT_M)), 0.5, 4.0))
