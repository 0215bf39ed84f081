"""Heights of a cache's ground: nodes of a lattice in Web Mercator that goes around the whole Earth.

``cells`` nodes lie around it, so that pieces of a map share their nodes, also across the 180th meridian. Node (row,
column) lies at x = column step, y = -row step; rows grow southwards from the equator, columns eastwards from Greenwich.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geo.bounds import Bounds
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import HALF_WORLD_M, RADIUS_M, ground_scale, to_metres
from runtime.geo.terrain import Terrain
from runtime.types import Mask


class Nodes(NamedTuple):
    """A box of nodes."""

    top: int
    left: int
    rows: int
    columns: int


def nodes_over(bounds: Bounds, step_m: float) -> Nodes:
    """Return the fewest nodes that hold a box in Web Mercator metres."""
    top, left = math.floor(-bounds.north / step_m), math.floor(bounds.west / step_m)
    bottom, right = math.ceil(-bounds.south / step_m), math.ceil(bounds.east / step_m)
    return Nodes(top, left, bottom - top + 1, right - left + 1)


@dataclass(frozen=True, slots=True)
class DemSource:
    """A terrain model that heights were read from."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Lattice:
    """Where the nodes of a cache's heights lie, and what they were read from."""

    cells: int  # nodes around the Earth
    top: int  # row of the first node
    left: int  # column of the first node
    shape: tuple[int, int]  # rows, columns
    sources: tuple[DemSource, ...]


@dataclass(frozen=True, slots=True)
class Heights:
    """Heights of a box of nodes: metres above one level, whichever it is."""

    height_m: NDArray[np.float32]  # (H, W)
    cells: int
    top: int
    left: int
    sources: tuple[DemSource, ...]
    check: Callable[[slice], None] = lambda rows: None  # called before rows are read

    @classmethod
    def on(cls, lattice: Lattice, height_m: NDArray[np.float32], check: Callable[[slice], None]) -> Heights:
        """Lay the heights (H, W) that a cache holds on the lattice that its metadata states."""
        return cls(height_m, lattice.cells, lattice.top, lattice.left, lattice.sources, check)

    def lattice(self) -> Lattice:
        """Return the lattice that a cache's metadata states."""
        rows, columns = self.height_m.shape
        return Lattice(self.cells, self.top, self.left, (rows, columns), self.sources)

    @property
    def step_m(self) -> float:
        """Web Mercator metres between nodes."""
        return 2 * HALF_WORLD_M / self.cells

    def about(self, frame: LocalFrame, reach_m: float) -> Terrain:
        """Return the terrain as far as ``reach_m`` from a frame's origin; raises CacheError where it was altered.

        Web Mercator is taken as straight there: a kilometre away nodes lie up to 0.1 m off on 50 degrees.
        """
        point, per_degree = to_metres(frame.origin), frame.metres_per_degree()
        degrees = math.degrees(self.step_m / RADIUS_M)
        step_en_m = degrees * per_degree[0], degrees * per_degree[1] * ground_scale(frame.origin.lat)
        rows, columns = self.height_m.shape
        middle, half = self.left + columns / 2, self.cells / 2
        column = columns / 2 + (point.x / self.step_m - middle + half) % self.cells - half  # the short way round
        row = -point.y / self.step_m - self.top
        across, down = _near(column, reach_m / step_en_m[0], columns), _near(row, reach_m / step_en_m[1], rows)
        self.check(down)
        north_west_en_m = (across.start - column) * step_en_m[0], (row - down.start) * step_en_m[1]
        return Terrain(self.height_m[down, across], north_west_en_m, step_en_m)

    def within(self, bounds: Bounds) -> Heights:
        """Cut out the heights of a part of the map."""
        nodes = nodes_over(bounds, self.step_m)
        top, left = max(nodes.top, self.top), nodes.left
        left += round((self.left - left) / self.cells) * self.cells  # the part may be counted the other way round
        left = max(left, self.left)
        part = self.height_m[top - self.top :, left - self.left :][: nodes.rows, : nodes.columns]
        return replace(self, height_m=np.array(part), top=top, left=left)


def join_heights(pieces: Sequence[Heights], bounds: Bounds) -> Heights:
    """Put pieces on one lattice together over a box: where two lie, the first; where none does, the nearest height."""
    first = pieces[0]
    nodes = nodes_over(bounds, first.step_m)
    height_m = np.full((nodes.rows, nodes.columns), np.nan, np.float32)
    for piece in reversed(pieces):
        down = piece.top - nodes.top
        across = (piece.left - nodes.left) % first.cells
        rows, columns = piece.height_m.shape
        height_m[down : down + rows, across : across + columns] = piece.height_m
    sources = {source.sha256: source for piece in pieces for source in piece.sources}
    return Heights(fill_gaps(height_m)[0], first.cells, nodes.top, nodes.left, tuple(sources.values()))


def fill_gaps(height_m: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Put the nearest height where there is none (NaN); return also how many nodes away the furthest one was."""
    missing: Mask = ~np.isfinite(height_m)
    if not missing.any():
        return height_m, 0.0
    away, nearest = cv2.distanceTransformWithLabels(
        missing.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(nearest.max()) + 1, np.float32)
    of_label[nearest[~missing]] = height_m[~missing]
    return of_label[nearest], float(away.max())


def _near(at: float, reach: float, count: int) -> slice:
    """Tell which of ``count`` nodes lie within reach of a place; the nearest where none does."""
    first = min(max(math.floor(at - reach), 0), count - 1)
    return slice(first, max(min(math.ceil(at + reach) + 1, count), first + 1))
