"""A block on straight, unbent streets, and what a test asks of what stands on it."""

from __future__ import annotations

import cv2
import numpy as np

from runtime.types import FloatArray
from train.world.plan import Area, Building, Plan, Strip
from train.world.site import Site
from train.world.streets import Bend, LandBlock

FLAT = Bend((0.0, 0.0), 0.0, np.zeros((1, 5)))


def site(length_m: float, depth_m: float, seed: int = 0) -> Site:
    """An empty block with its corner at (10, 20), longer along a than along b if ``length_m`` is the larger."""
    block = LandBlock(10.0, 20.0, 10.0 + length_m, 20.0 + depth_m, (4.0, 4.0, 4.0, 4.0))
    return Site(Plan(300.0, 300.0, seed), FLAT, block, np.random.default_rng(seed))


def margin_m(outline: FloatArray, xy: FloatArray) -> float:
    """How far inside an outline (N, 2) a point (2,) lies, metres; negative outside."""
    return float(cv2.pointPolygonTest(outline.astype(np.float32), (float(xy[0]), float(xy[1])), True))


def corners(building: Building) -> FloatArray:  # (4, 2)
    """Where a building stands, worked out by complex numbers."""
    half = complex(building.length_m / 2, building.width_m / 2)
    turn = np.exp(1j * building.along_rad)
    points = [complex(sx * half.real, sy * half.imag) * turn for sx in (-1, 1) for sy in (-1, 1)]
    return np.array([[building.x + p.real, building.y + p.imag] for p in points])


def covers(plan: Plan) -> set[str]:
    """Every cover that a plan names."""
    ground = {item.cover for item in (*plan.ground, *plan.markings, *plan.roads)}
    return ground | {b.roof for b in plan.buildings} | {tree.kind for tree in plan.trees}


def areas(plan: Plan, cover: str) -> list[Area]:
    return [item for item in plan.ground if isinstance(item, Area) and item.cover == cover]


def strips(plan: Plan, cover: str) -> list[Strip]:
    return [item for item in plan.ground if isinstance(item, Strip) and item.cover == cover]


def area_m2(outline: FloatArray) -> float:
    """The shoelace formula."""
    x, y = outline.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
