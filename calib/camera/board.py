"""The board that a camera is calibrated on: a chessboard, or one with a marker in each white square (ChArUco)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.options import MARKER_SHARE, SQUARE_MM
from runtime.errors import SettingsError
from runtime.types import FloatArray

Grey: TypeAlias = NDArray[np.uint8]
"""(H, W) grey levels."""

DICTIONARIES = {name[5:].upper(): int(getattr(cv2.aruco, name)) for name in dir(cv2.aruco) if name.startswith("DICT_")}
"""Marker dictionaries by the name that OpenCV gives them, without ``DICT_``."""


@dataclass(frozen=True, slots=True)
class Board:
    """A board of ``columns`` x ``rows`` squares; the corners that are measured lie between, one fewer each way.

    Raises SettingsError where no such board can be.
    """

    columns: int = 11
    rows: int = 7
    square_mm: float = SQUARE_MM
    dictionary: str | None = "4X4_50"
    """None: a plain chessboard."""
    marker_share: float = MARKER_SHARE
    """A marker's side over a square's."""
    legacy: bool = False
    """Boards of OpenCV before 4.6 with an even number of rows begin with a white square."""

    def __post_init__(self) -> None:
        if not (self.columns >= 4 and self.rows >= 4):
            raise SettingsError(f"a board of {self} is too small; expected 4x4 squares or more")
        if not (0 < self.square_mm < math.inf and 0.3 <= self.marker_share <= 0.95):
            raise SettingsError("a square's side must be positive, a marker's share of it 0.3 to 0.95")
        if self.dictionary is None:
            return
        if self.dictionary not in DICTIONARIES:
            raise SettingsError(f"no dictionary is called {self.dictionary}; OpenCV has {', '.join(DICTIONARIES)}")
        held, needed = len(self.markers().bytesList), self.columns * self.rows // 2
        if held < needed:
            raise SettingsError(f"{self} needs {needed} markers and the dictionary holds {held}; take a larger one")

    def __str__(self) -> str:
        squares = f"{self.columns}x{self.rows} squares"
        if self.dictionary is None:
            return squares
        return f"{squares}, ChArUco {self.dictionary}{', the layout of before OpenCV 4.6' * self.legacy}"

    def flags(self) -> str:
        """Return the options of ``python -m calib.camera`` that name this board, those of its defaults left out."""
        usual = Board()
        options = [f"--squares {self.columns}x{self.rows}"] * ((self.columns, self.rows) != (usual.columns, usual.rows))
        options += [f"--square-mm {self.square_mm:g}"] * (self.square_mm != usual.square_mm)
        if self.dictionary is None:
            return " ".join([*options, "--chessboard"])
        options += [f"--dictionary {self.dictionary}"] * (self.dictionary != usual.dictionary)
        options += [f"--marker-share {self.marker_share:g}"] * (self.marker_share != usual.marker_share)
        return " ".join([*options, *["--legacy"] * self.legacy])

    @property
    def inner(self) -> tuple[int, int]:
        """Columns and rows of inner corners."""
        return self.columns - 1, self.rows - 1

    def corners_mm(self) -> FloatArray:
        """Return the inner corners, (N, 3), row by row from the top left; z is 0."""
        columns, rows = self.inner
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) + 1.0
        return np.column_stack([grid * self.square_mm, np.zeros(len(grid))])

    def markers(self) -> cv2.aruco.Dictionary:
        """Return the markers' bits; only for a board that has markers."""
        return cv2.aruco.getPredefinedDictionary(DICTIONARIES[self.dictionary or ""])

    def charuco(self) -> cv2.aruco.CharucoBoard:
        """Return OpenCV's description; only for a board that has markers."""
        marker_mm = self.square_mm * self.marker_share
        board = cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_mm, marker_mm, self.markers())
        board.setLegacyPattern(self.legacy)
        return board


@dataclass(frozen=True, slots=True)
class SeenCorners:
    """The inner corners of a board that a picture shows."""

    numbers: NDArray[np.int64]  # (N,) row by row from the top left
    pixels: FloatArray  # (N, 2)


def find(board: Board, grey: Grey) -> SeenCorners | None:
    """Look for a board's inner corners in a picture; None where the board is not.

    A ChArUco board may be seen in part, a chessboard only whole.
    """
    corners = _find_chessboard(board, grey) if board.dictionary is None else _find_charuco(board, grey)
    if corners is None:
        return None
    numbers, (across, _) = corners.numbers, board.inner
    columns, rows = numbers % across, numbers // across
    if len(numbers) < 9 or len(set(columns)) < 3 or len(set(rows)) < 3 or not _is_flat(board, corners):
        return None
    return corners


def _find_chessboard(board: Board, grey: Grey) -> SeenCorners | None:
    seen, corners = cv2.findChessboardCornersSB(grey, board.inner, flags=0)
    if not seen:
        return None
    return SeenCorners(np.arange(board.inner[0] * board.inner[1]), np.asarray(corners, float).reshape(-1, 2))


def _find_charuco(board: Board, grey: Grey) -> SeenCorners | None:
    parameters = cv2.aruco.CharucoParameters()
    parameters.minMarkers = 1  # of the two beside a corner: at the edge of the frame one is outside
    corners, numbers, _, _ = cv2.aruco.CharucoDetector(board.charuco(), parameters).detectBoard(grey)
    if numbers is None or len(numbers) == 0:
        return None
    return SeenCorners(np.asarray(numbers, np.int64).ravel(), np.asarray(corners, float).reshape(-1, 2))


def _is_flat(board: Board, corners: SeenCorners) -> bool:
    """Tell whether a plane explains the corners but for the lens: a board of another layout does not pass."""
    on_board = board.corners_mm()[corners.numbers, :2]
    homography, fits = cv2.findHomography(corners.pixels, on_board, cv2.RANSAC, 0.3 * board.square_mm)
    return homography is not None and float(np.mean(fits)) >= 0.8


def refine(
    board: Board,
    grey: Grey,
    corners_px: FloatArray,  # (N, 2)
    square_px: FloatArray,  # (N,) the shorter side of a square at each
) -> FloatArray:  # (N, 2)
    """Refine corners to a few hundredths of a pixel; NaN where no corner is.

    Pixel centres are at whole numbers; ``CharucoDetector`` of OpenCV 4.10 is half a pixel off, and this mends that.
    """
    share = 0.25 if board.dictionary is None else 0.35 * (1.0 - board.marker_share)  # a marker in the window pulls
    reach = np.maximum(np.round(share * square_px), 2).astype(int)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 40, 1e-3)
    start = corners_px.astype(np.float32)
    refined = np.empty_like(start)
    for half in set(reach.tolist()):
        here, window = reach == half, (half, half)
        moved = cv2.cornerSubPix(grey, start[here].reshape(-1, 1, 2), window, (-1, -1), criteria)
        refined[here] = np.reshape(moved, (-1, 2))
    unmoved = (refined == start).all(axis=1)  # what does not settle is given back as it was
    return np.where(unmoved[:, None], np.nan, refined).astype(float)
