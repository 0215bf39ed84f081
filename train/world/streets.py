"""The skeleton of a plan: a river, roads, and the blocks between them.

A rectangle is split again and again, near the town more often, and the whole is then bent: streets curve, blocks are
irregular, and no two corners look alike. The flat, unbent coordinates are called (a, b).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from runtime.types import FloatArray
from train.world.plan import Strip, turned

MAIN_ROAD_M = 9.5
STREET_M = 5.8
TRACK_M = 3.0
PAVEMENT_M = 1.6
RIVER_M = 14.0
RIVER_CORRIDOR_M = 25.0  # from the river's middle to the first block


class LandBlock(NamedTuple):
    """A block before bending, and how far the middle of the street lies beyond each side."""

    a0: float
    b0: float
    a1: float
    b1: float
    gaps: tuple[float, float, float, float]  # of a0, b0, a1, b1

    @property
    def centre(self) -> tuple[float, float]:
        """The block's middle, (a, b)."""
        return (self.a0 + self.a1) / 2, (self.b0 + self.b1) / 2

    @property
    def size(self) -> tuple[float, float]:
        """How far the block reaches along a and along b, metres."""
        return self.a1 - self.a0, self.b1 - self.b0


@dataclass(frozen=True, slots=True)
class Bend:
    """A map from (a, b) to metres of the world: a turn, then slow waves."""

    centre: tuple[float, float]
    turn_rad: float
    waves: FloatArray  # (K, 5): wave vector, phase, displacement

    @classmethod
    def drawn(cls, width_m: float, height_m: float, rng: np.random.Generator) -> Bend:
        """Draw the bend of a world of that size."""
        waves = [_wave(rng, *wave) for wave in ((520, 700, 0.30), (380, 520, 0.22), (200, 280, 0.13))]
        return cls((width_m / 2, height_m / 2), float(rng.uniform(0.12, 0.35)), np.array(waves))

    def __call__(self, ab: FloatArray) -> FloatArray:  # (N, 2) -> (N, 2)
        """Return places of the world."""
        phase = ab @ self.waves[:, :2].T + self.waves[:, 2]
        return turned(ab + np.sin(phase) @ self.waves[:, 3:], self.turn_rad) + self.centre

    def along_rad(self, a: float, b: float) -> float:
        """Return the direction in the world of growing a."""
        dx, dy = np.diff(self(np.array([[a - 1.0, b], [a + 1.0, b]])), axis=0)[0]
        return float(np.arctan2(dy, dx))

    def line(self, a0: float, b0: float, a1: float, b1: float) -> FloatArray:
        """Return a bent straight line, a point every 3 m."""
        n = max(2, int(np.hypot(a1 - a0, b1 - b0) / 3) + 1)
        return self(np.column_stack([np.linspace(a0, a1, n), np.linspace(b0, b1, n)]))


def _wave(rng: np.random.Generator, shortest_m: float, longest_m: float, slope: float) -> list[float]:
    """Draw a wave: its vector, its phase, its displacement."""
    heading, push, phase = rng.uniform(0, 2 * np.pi, 3)
    k = 2 * np.pi / rng.uniform(shortest_m, longest_m)
    across = slope / k
    return [k * np.cos(heading), k * np.sin(heading), phase, across * np.cos(push), across * np.sin(push)]


@dataclass(slots=True)
class Streets:
    """River, roads and blocks of a plan, and where its town is."""

    bend: Bend
    town: tuple[float, float]  # (a, b) of its middle
    radius_m: float
    river: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    roads: list[Strip] = field(default_factory=list)
    blocks: list[LandBlock] = field(default_factory=list)

    def townness(self, block: LandBlock) -> float:
        """Return 1 in the middle of the town, towards 0 in the country."""
        a, b = block.centre
        d2 = (a - self.town[0]) ** 2 + (b - self.town[1]) ** 2
        return float(np.exp(-((d2 / self.radius_m**2) ** 1.6)))

    def is_town(self, block: LandBlock) -> bool:
        """Tell whether a block belongs to the town."""
        return self.townness(block) > 0.3


def lay_streets(width_m: float, height_m: float, rng: np.random.Generator) -> Streets:
    """Lay the streets of a world of that size; blocks reach beyond its edges."""
    bend = Bend.drawn(width_m, height_m, rng)
    half_a, half_b = 0.62 * width_m + 0.2 * height_m, 0.62 * height_m + 0.2 * width_m
    streets = Streets(bend, (-0.12 * width_m, -0.05 * height_m), max(0.42 * min(width_m, height_m), 170.0))
    river_a, main_b = float(rng.uniform(0.16, 0.24)) * width_m, float(rng.uniform(-0.1, 0.08)) * height_m
    streets.river = _river(bend, river_a, half_b, rng)
    streets.roads.append(Strip("asphalt", bend.line(-half_a, main_b, half_a, main_b), MAIN_ROAD_M))
    gap = MAIN_ROAD_M / 2 + PAVEMENT_M
    for a0, a1 in ((-half_a, river_a - RIVER_CORRIDOR_M), (river_a + RIVER_CORRIDOR_M, half_a)):
        _split(streets, LandBlock(a0, -half_b, a1, main_b - gap, (0, 0, 0, gap)), rng)
        _split(streets, LandBlock(a0, main_b + gap, a1, half_b, (0, gap, 0, 0)), rng)
    return streets


def _river(bend: Bend, a: float, half_b: float, rng: np.random.Generator) -> FloatArray:
    """Draw a river's bends about ``a``."""
    b = np.arange(-half_b, half_b, 4.0)
    meander = 5 * np.sin(b / rng.uniform(22, 30) + rng.uniform(0, 6)) + 4 * np.sin(b / rng.uniform(11, 16))
    return bend(np.column_stack([a + meander, b]))


def _split(streets: Streets, block: LandBlock, rng: np.random.Generator) -> None:
    """Split ``block`` until its parts are blocks of the wanted size; the streets between them are added."""
    townness = streets.townness(block)
    target_m = 150 - 100 * townness
    long, short = max(block.size), min(block.size)
    if long < 1.35 * target_m or (short < 0.5 * target_m and long < 2.2 * target_m):
        streets.blocks.append(block)
        return
    in_town = streets.is_town(block)
    width = (STREET_M if in_town else TRACK_M) + float(rng.uniform(-0.4, 0.6))
    gap = width / 2 + (PAVEMENT_M if in_town else 0.8)
    share = float(rng.uniform(0.34, 0.66))
    a0, b0, a1, b1 = block[:4]
    ga0, gb0, ga1, gb1 = block.gaps
    cover = "asphalt" if in_town else "dirt"
    if a1 - a0 > b1 - b0:
        a = a0 + share * (a1 - a0)
        streets.roads.append(_street(streets.bend.line(a, b0 - gb0, a, b1 + gb1), cover, width, (gb0, gb1)))
        halves = (
            LandBlock(a0, b0, a - gap, b1, (ga0, gb0, gap, gb1)),
            LandBlock(a + gap, b0, a1, b1, (gap, gb0, ga1, gb1)),
        )
    else:
        b = b0 + share * (b1 - b0)
        streets.roads.append(_street(streets.bend.line(a0 - ga0, b, a1 + ga1, b), cover, width, (ga0, ga1)))
        halves = (
            LandBlock(a0, b0, a1, b - gap, (ga0, gb0, ga1, gap)),
            LandBlock(a0, b + gap, a1, b1, (ga0, gap, ga1, gb1)),
        )
    for half in halves:
        _split(streets, half, rng)


def _street(points: FloatArray, cover: str, width_m: float, gaps: tuple[float, float]) -> Strip:
    """Return a street's strip, trimmed where it meets others."""
    return Strip(cover, points, width_m, trim_m=(gaps[0] + 0.5, gaps[1] + 0.5))
