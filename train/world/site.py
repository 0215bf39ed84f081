"""A block seen from one of its streets, and the verbs with which it is filled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from runtime.types import FloatArray
from train.world.plan import Area, Building, Plan, Slot, Strip, Tree
from train.world.streets import Bend, LandBlock


@dataclass(frozen=True, slots=True)
class Site:
    """A block seen from a street: ``s`` metres along it, ``t`` metres away; what is added goes to ``plan``."""

    plan: Plan
    bend: Bend
    block: LandBlock
    rng: np.random.Generator
    axis: int = 0  # 0: the street runs along a, 1: along b
    near: bool = True  # the street is at the low side of the other axis

    def fronts(self) -> tuple[Site, Site]:
        """Return the block from its two long streets."""
        axis = 0 if self.block.size[0] >= self.block.size[1] else 1
        return replace(self, axis=axis, near=True), replace(self, axis=axis, near=False)

    def front(self) -> Site:
        """Return the block from one of its two long streets."""
        return self.fronts()[int(self.rng.integers(2))]

    @property
    def length_m(self) -> float:
        """The block's length along the street."""
        return self.block.size[self.axis]

    @property
    def depth_m(self) -> float:
        """How deep the block is, away from the street."""
        return self.block.size[1 - self.axis]

    def ab(self, s: float, t: float) -> tuple[float, float]:
        """Return a place in the flat, unbent coordinates of the streets."""
        low, high = (self.block.b0, self.block.b1) if self.axis == 0 else (self.block.a0, self.block.a1)
        other = low + t if self.near else high - t
        return (self.block.a0 + s, other) if self.axis == 0 else (other, self.block.b0 + s)

    def xy(self, s: float, t: float) -> FloatArray:  # (2,)
        """Return a place in metres of the world."""
        return self.bend(np.array([self.ab(s, t)])).reshape(2)

    def along_rad(self, s: float, t: float) -> float:
        """Return the street's direction at a place."""
        return self.bend.along_rad(*self.ab(s, t)) + self.axis * np.pi / 2

    def line(self, s0: float, t0: float, s1: float, t1: float) -> FloatArray:  # (N, 2)
        """Return a bent straight line between two places."""
        return self.bend.line(*self.ab(s0, t0), *self.ab(s1, t1))

    def across(self, s: float, t0: float, t1: float) -> FloatArray:  # (N, 2)
        """Return a line away from the street."""
        return self.line(s, t0, s, t1)

    def patch(self, s0: float, t0: float, s1: float, t1: float) -> FloatArray:  # (N, 2)
        """Return the bent outline of a rectangle."""
        corners = ((s0, t0, s1, t0), (s1, t0, s1, t1), (s1, t1, s0, t1), (s0, t1, s0, t0))
        return np.concatenate([self.line(*side)[:-1] for side in corners])

    def outline(self) -> FloatArray:  # (N, 2)
        """Return the bent outline of the whole block."""
        return self.patch(0, 0, self.length_m, self.depth_m)

    def uniform(self, low: float, high: float) -> float:
        """Draw a number between two."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """Draw true with a probability."""
        return bool(self.rng.random() < probability)

    def pick(self, *covers: str) -> str:
        """Draw one of the covers."""
        return str(covers[int(self.rng.integers(len(covers)))])

    def seed(self) -> int:
        """Draw a seed for something that is painted later."""
        return int(self.rng.integers(1, 1 << 31))

    def cover(self, cover: str, outline: FloatArray, along_rad: float = 0.0) -> None:
        """Add ground of one cover."""
        self.plan.ground.append(Area(cover, outline, along_rad, self.seed()))

    def strip(self, cover: str, points: FloatArray, width_m: float, height_m: float = 0.0) -> None:
        """Add a band along a line."""
        self.plan.ground.append(Strip(cover, points, width_m, height_m))

    def slot(self, s: float, t: float, turn_rad: float = np.pi / 2) -> None:
        """Add room for a car; by default with its nose to the street."""
        x, y = self.xy(s, t)
        self.plan.slots.append(Slot(float(x), float(y), self.along_rad(s, t) + turn_rad, self.seed()))

    def build(
        self,
        xy: FloatArray,
        along_rad: float,
        size_m: tuple[float, float],
        *,
        roof: str,
        eave_m: float,
        rise_m: float = 0.0,
        hipped: bool = False,
    ) -> None:
        """Add a building about ``xy`` (2,)."""
        x, y = float(xy[0]), float(xy[1])
        self.plan.buildings.append(Building(x, y, along_rad, *size_m, eave_m, rise_m, roof, self.seed(), hipped))

    def plant(self, xy: FloatArray, kind: str, radius_m: float, height_m: float | None = None) -> None:
        """Add a tree; as high as its crown suggests if not said otherwise."""
        height = 2.0 + 2.0 * radius_m if height_m is None else height_m
        self.plan.trees.append(Tree(float(xy[0]), float(xy[1]), radius_m, height, kind))
