"""The records of a plan of land, and the geometry of outlines and lines.

Positions are metres east and south of the north-west corner: (N, 2) as x, y.
Angles are radians from east towards south, the sense of y.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class Area:
    """Ground of one cover inside an outline."""

    cover: str
    outline: FloatArray  # (N, 2)
    along_rad: float = 0.0  # direction of crop rows, mowing, tiles
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Strip:
    """A band along a line: a road, a stream, a hedge, a painted line."""

    cover: str
    points: FloatArray  # (N, 2)
    width_m: float
    height_m: float = 0.0  # what stands up casts a shadow
    dash_m: tuple[float, float] | None = None  # painted and free lengths
    trim_m: tuple[float, float] = (0.0, 0.0)  # left free at the start and the end


@dataclass(frozen=True, slots=True)
class Building:
    """A box with a roof; the ridge runs along the length."""

    x: float
    y: float
    along_rad: float
    length_m: float
    width_m: float
    eave_m: float
    rise_m: float  # of the ridge above the eaves; 0 is a flat roof
    roof: str  # cover
    seed: int
    hipped: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree with its crown."""

    x: float
    y: float
    radius_m: float
    height_m: float
    kind: str  # cover


@dataclass(frozen=True, slots=True)
class Slot:
    """A place where a car may stand."""

    x: float
    y: float
    along_rad: float
    seed: int


@dataclass(slots=True)
class Plan:
    """A plan of land; ``ground`` is painted in its order."""

    width_m: float
    height_m: float
    seed: int
    ground: list[Area | Strip] = field(default_factory=list)
    roads: list[Strip] = field(default_factory=list)
    markings: list[Area | Strip] = field(default_factory=list)
    buildings: list[Building] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)


def turned(points: FloatArray, angle_rad: float) -> FloatArray:  # (N, 2)
    """Turn points about the origin."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    rotated: FloatArray = points @ np.array([[c, s], [-s, c]])
    return rotated


def rectangle(x: float, y: float, along_rad: float, length_m: float, width_m: float) -> FloatArray:  # (4, 2)
    """Return the corners of a rectangle about (x, y)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (length_m / 2, width_m / 2)
    return np.add(turned(corners, along_rad), (x, y))


def blob(centre: FloatArray, radius_m: float, rng: np.random.Generator, stretch: float = 1.0) -> FloatArray:  # (64, 2)
    """Draw a round outline with bays about a centre (2,)."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = np.full(64, float(radius_m))
    for k in range(2, 6):
        radius *= 1 + rng.normal(0, 0.18 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    circle = np.column_stack([stretch * np.cos(angle), np.sin(angle) / stretch]) * radius[:, None]
    return turned(circle, float(rng.uniform(0, np.pi))) + centre


def lengths(points: FloatArray) -> FloatArray:  # (N,)
    """Return metres along a line at each of its points."""
    steps = np.diff(points, axis=0)
    return np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])


def part(points: FloatArray, start_m: float, end_m: float) -> FloatArray:  # (K, 2)
    """Return the part of a line between two lengths along it."""
    length = lengths(points)
    inner = length[(length > start_m) & (length < end_m)]
    at = np.concatenate([[start_m], inner, [end_m]])
    return np.column_stack([np.interp(at, length, points[:, 0]), np.interp(at, length, points[:, 1])])


def band(points: FloatArray, width_m: float) -> FloatArray:  # (N, 2) -> (2N, 2)
    """Return the outline of a line with a width."""
    tangent = np.gradient(points, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, :1], tangent[:, 1:]), 1e-9)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]]) * (width_m / 2)
    return np.concatenate([points + normal, (points - normal)[::-1]])


def beside(points: FloatArray, side_m: float) -> FloatArray:  # (N, 2)
    """Return a line beside a line; positive to the right when walking along it (y grows southwards)."""
    return band(points, 2 * side_m)[: len(points)]
