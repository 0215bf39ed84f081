"""From pictures to views of the board: corners to a fraction of a pixel, sharp ones, no two alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.camera.board import Board, Grey, find, refine
from calib.camera.shots import BoardShot
from runtime.types import FloatArray

SEARCH_PX = 1280  # corners are looked for at this long side, and measured at the full one
ALIKE = 0.02  # views whose boards lie closer than this share of the frame say the same thing twice
BLUR_PX, BLUR_SHARE = 4.0, 0.003  # an edge wider than both (the share is of the long side) is blurred
MOST_LOST = 16


@dataclass(frozen=True, slots=True)
class BoardView:
    """The board in one picture: where its corners are."""

    name: str
    board_mm: FloatArray  # (N, 3) the corners on the board
    corners_px: FloatArray  # (N, 2) and in the picture
    outline_px: FloatArray  # (4, 2) the board's outer corners in the picture, for a lens without distortion
    edge_px: float  # how wide a black-to-white edge is


@dataclass(slots=True)
class Survey:
    """The board, or its lack, in the pictures that were looked at."""

    views: list[BoardView] = field(default_factory=list)
    blurred: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    """Pictures in which the board was not found."""
    sizes: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    """Width and height, and the pictures that have them."""
    lost: list[BoardShot] = field(default_factory=list)
    """Some of those without a board, for finding out why."""
    sample: BoardShot | None = None
    """One with it."""

    @property
    def looked_at(self) -> int:
        """Pictures in all."""
        return sum(map(len, self.sizes.values()))


def survey(board: Board, shots: Iterator[BoardShot], watch: Callable[[Survey], None] = lambda seen: None) -> Survey:
    """Look for the board in every picture; ``watch`` sees what has come together after each."""
    seen = Survey()
    for shot in shots:
        height, width = shot.grey.shape
        seen.sizes.setdefault((width, height), []).append(shot.name)
        view = view_of(board, shot)
        if view is None:
            seen.without.append(shot.name)
            seen.lost.append(shot)
            if len(seen.lost) > MOST_LOST:
                del seen.lost[::2]
        elif not view.edge_px <= max(BLUR_PX, BLUR_SHARE * max(width, height)):
            seen.blurred.append(shot.name)
        else:
            seen.views.append(view)
            seen.sample = seen.sample or shot
        watch(seen)
    return seen


def view_of(board: Board, shot: BoardShot) -> BoardView | None:
    """Return the board in a picture, or None; one that only a smaller picture shows counts too: it is blurred."""
    scale = min(1.0, SEARCH_PX / max(shot.grey.shape))
    for share in dict.fromkeys((scale, 1.0, scale / 2)):
        small = cv2.resize(shot.grey, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        corners = find(board, np.asarray(small, np.uint8))
        if corners is not None:
            rough_px = (corners.pixels + 0.5) / share - 0.5
            return _measured(board, shot, board.corners_mm()[corners.numbers], rough_px)
    return None


def _measured(board: Board, shot: BoardShot, board_mm: FloatArray, rough_px: FloatArray) -> BoardView:
    """Return the board's corners to a fraction of a pixel, and how sharp its edges are."""
    homography = np.asarray(cv2.findHomography(board_mm[:, :2], rough_px)[0], float)
    wide, high = board.columns * board.square_mm, board.rows * board.square_mm
    outline = np.array([[[0.0, 0.0]], [[wide, 0.0]], [[wide, high]], [[0.0, high]]])
    outline_px = np.asarray(cv2.perspectiveTransform(outline, homography), float).reshape(4, 2)
    at = np.round(board_mm[:, :2] / board.square_mm).astype(int) - 1  # (N, 2) column and row
    corners_px = refine(board, shot.grey, rough_px, _square_px(_grid(board, at, rough_px))[at[:, 1], at[:, 0]])
    edge_px = _edge_px(shot.grey, _grid(board, at, corners_px))
    settled = np.isfinite(corners_px).all(axis=1)
    return BoardView(shot.name, board_mm[settled], corners_px[settled], outline_px, edge_px)


def _grid(board: Board, at: NDArray[np.int64], corners_px: FloatArray) -> FloatArray:
    """Return the corners in their places, (rows, columns, 2); NaN where one was not seen."""
    columns, rows = board.inner
    grid = np.full((rows, columns, 2), np.nan)
    grid[at[:, 1], at[:, 0]] = corners_px
    return grid


def _square_px(grid: FloatArray) -> FloatArray:
    """Return the distance to the nearest neighbour of each corner, (rows, columns); 0 for one that stands alone."""
    nearest = np.full(grid.shape[:2], np.inf)
    for axis in (0, 1):
        apart = np.nan_to_num(np.linalg.norm(np.diff(grid, axis=axis), axis=2), nan=np.inf)
        ends = [(0, 0), (0, 0)]
        ends[axis] = (1, 1)
        padded = np.pad(apart, ends, constant_values=np.inf)
        for side in (0, 1):
            nearest = np.minimum(nearest, np.take(padded, range(side, side + grid.shape[axis]), axis))
    return np.where(np.isfinite(nearest), nearest, 0.0)


def _edge_px(grey: Grey, grid: FloatArray) -> float:
    """Measure the width of an edge: contrast over the steepest slope, in the worse direction (motion blurs one)."""
    low, high = np.percentile(grey[_box(grid)], [5, 95])
    widths = []
    for start, end in ((grid[:, :-1], grid[:, 1:]), (grid[:-1], grid[1:])):
        slopes = _slopes(grey, start.reshape(-1, 2), end.reshape(-1, 2))
        widths.append(float((high - low) / max(np.median(slopes), 1e-6)) if len(slopes) else 0.0)
    return max(widths)


def _slopes(grey: Grey, start: FloatArray, end: FloatArray) -> FloatArray:
    """Return the steepest slope across the middle of each edge whose ends were seen, (M,) grey levels a pixel."""
    seen = np.isfinite(start + end).all(axis=1)
    along = (end - start)[seen]
    length = np.linalg.norm(along, axis=1, keepdims=True)
    if not len(length):
        return np.empty(0)
    across = along[:, ::-1] * [-1.0, 1.0] / length
    reach = max(round(0.12 * float(np.median(length))), 2)  # a ChArUco marker is not far
    steps = np.arange(-reach, reach + 1.0)
    at = ((start + end)[seen] / 2)[:, None] + across[:, None] * steps[:, None]  # (M, S, 2)
    profile = cv2.remap(grey, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(np.abs(np.diff(profile.astype(float), axis=1)).max(axis=1), float)


def _box(grid: FloatArray) -> tuple[slice, slice]:
    """Return the rows and columns of a picture that hold all corners."""
    left, top = np.floor(np.nanmin(grid, axis=(0, 1))).clip(0).astype(int)
    right, bottom = np.ceil(np.nanmax(grid, axis=(0, 1))).astype(int) + 1
    return slice(top, bottom), slice(left, right)


def novel(views: Sequence[BoardView], size: tuple[int, int], most: int) -> list[BoardView]:
    """Choose at most ``most`` views, the sharper of two alike, each as far as can be from those before it."""
    boards = np.array([view.outline_px for view in views]).reshape(len(views), 8) / max(size)
    kept: list[int] = []
    for i in sorted(range(len(views)), key=lambda i: views[i].edge_px):
        if all(_apart(boards[i], boards[k]) >= ALIKE for k in kept):
            kept.append(i)
    order, rest = kept[:1], kept[1:]
    while rest and len(order) < most:
        farthest = max(rest, key=lambda i: min(_apart(boards[i], boards[k]) for k in order))
        order.append(farthest)
        rest.remove(farthest)
    return [views[i] for i in order]


def _apart(board: FloatArray, other: FloatArray) -> float:
    """Return how far the board's four corners moved, RMS."""
    return float(np.linalg.norm(board - other)) / 2.0
