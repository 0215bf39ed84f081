"""Pictures of a calibration board by a camera that is known exactly: the truth that calibration is measured against."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.camera.board import Board
from calib.camera.shots import BoardShot
from calib.camera.views import BoardView
from runtime.geo.camera import Camera
from runtime.types import FloatArray

Pose = tuple[FloatArray, FloatArray]  # (3, 3) rotation and (3,) millimetres, board to camera

LENS = Camera(640, 480, np.array([[600.0, 0, 322], [0, 602, 237], [0, 0, 1]]), np.array([-0.25, 0.08, 1e-3, -1e-3, 0]))
BOARD = Board()
_PX_PER_MM = 4
_MARGIN_MM = 20


class Studio:
    """A camera in front of a board."""

    def __init__(self, camera: Camera, board: Board) -> None:
        self.camera, self.board = camera, board

    @functools.cached_property
    def _texture(self) -> NDArray[np.uint8]:
        return np.pad(painted(self.board), _MARGIN_MM * _PX_PER_MM, constant_values=255)

    def shot(
        self, pose: Pose, rng: np.random.Generator, *, blur_px: float = 0.6, motion_px: int = 1
    ) -> NDArray[np.uint8]:
        """(H, W) grey: blurred by the lens and by motion, with a sensor's noise."""
        rotation, offset = pose
        to_texture = np.array([[1, 0, _MARGIN_MM], [0, 1, _MARGIN_MM], [0, 0, 1 / _PX_PER_MM]]) * _PX_PER_MM
        plane = to_texture @ np.linalg.inv(np.column_stack([rotation[:, :2], offset]))
        at = cv2.perspectiveTransform(_flat(self.camera), plane) - np.float32(0.5)
        fine = cv2.remap(self._texture, at, None, cv2.INTER_LINEAR, borderValue=110)
        seen = cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
        seen = cv2.blur(cv2.GaussianBlur(seen, (0, 0), blur_px), (motion_px, 1))
        noise = rng.standard_normal(seen.shape, np.float32) * 2
        return np.clip(seen * 0.8 + 20 + noise, 0, 255).astype(np.uint8)

    def view(self, pose: Pose, rng: np.random.Generator, noise_px: float) -> BoardView | None:
        """What detecting the board would give, without a picture: noise of a known size on the true corners."""
        rotation, _ = cv2.Rodrigues(pose[0])
        lens = self.camera.matrix, self.camera.distortion
        corners = self.board.corners_mm()
        pixels = cv2.projectPoints(corners, rotation, pose[1], *lens)[0].reshape(-1, 2)
        size = [self.camera.width_px, self.camera.height_px]
        inside = ((pixels > 5) & (pixels < np.array(size) - 5)).all(axis=1)
        if inside.sum() < 12:
            return None
        pixels = pixels[inside] + rng.normal(0, noise_px, (inside.sum(), 2))
        return BoardView("drawn", corners[inside], pixels, pixels[[0, 1, 2, 3]], 2.0)


@functools.cache
def _rays(lens: tuple[float, ...], width: int, height: int) -> NDArray[np.float32]:
    """(2 H, 2 W, 2) where a flat lens of focal length 1 has each of two by two rays a pixel."""
    # An edge between two pixels is grey, as a sensor sees it.
    across, down = (np.arange(side * 2) / 2 - 0.25 for side in (width, height))
    pixels = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 1, 2)
    fx, fy, cx, cy, *distortion = lens
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 100, 1e-10)
    flat = cv2.undistortPointsIter(pixels, matrix, np.array(distortion), np.eye(3), np.eye(3), criteria)
    return flat.reshape(height * 2, width * 2, 2).astype(np.float32)


def _flat(camera: Camera) -> NDArray[np.float32]:
    lens = *camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]].tolist(), *camera.distortion.tolist()
    return _rays(lens, camera.width_px, camera.height_px)


def painted(board: Board) -> NDArray[np.uint8]:
    """The board as a picture."""
    side = round(board.square_mm * _PX_PER_MM)
    if board.dictionary is not None:
        return np.asarray(board.charuco().generateImage((side * board.columns, side * board.rows), marginSize=0))
    checks = (np.add.outer(np.arange(board.rows), np.arange(board.columns)) % 2 * 255).astype(np.uint8)
    return np.kron(checks, np.ones((side, side), np.uint8))


def poses(
    board: Board,
    camera: Camera,
    rng: np.random.Generator,
    *,
    tilts_deg: tuple[float, float] = (8, 38),
    middle: tuple[float, float] = (0.2, 0.8),
    fill: tuple[float, float] = (0.5, 0.95),
) -> Iterator[Pose]:
    """The board anywhere (its middle in this part of the frame), tilted any way, this share of the frame's width."""
    wide, high = board.columns * board.square_mm, board.rows * board.square_mm
    size = np.array([camera.width_px, camera.height_px])
    focal = camera.matrix[0, 0]
    while True:
        away_mm = wide * focal / size[0] / rng.uniform(*fill)
        at = (rng.uniform(*middle, 2) - 0.5) * size / focal * away_mm
        way, tilt = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(*tilts_deg))
        tilted, _ = cv2.Rodrigues(np.array([np.cos(way), np.sin(way), 0]) * tilt)
        turned, _ = cv2.Rodrigues(np.array([0, 0, rng.uniform(-0.3, 0.3)]))
        rotation = tilted @ turned
        yield rotation, np.array([*at, away_mm]) - rotation @ np.array([wide / 2, high / 2, 0])


def shots(studio: Studio, count: int, seed: int, **how: tuple[float, float]) -> Iterator[BoardShot]:
    """``count`` sharp pictures."""
    rng = np.random.default_rng(seed)
    for i, pose in zip(range(count), poses(studio.board, studio.camera, rng, **how), strict=False):
        yield BoardShot(f"{i:03d}.png", studio.shot(pose, rng))
