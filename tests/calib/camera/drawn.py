"""Views and pictures of a board by a camera that is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from calib.camera.board import Board
from calib.camera.intrinsics import Calibration
from calib.camera.shots import BoardShot
from calib.camera.views import BoardView
from runtime.geo.camera import Camera
from tests.calib.camera.rendered import BOARD, LENS, Studio, poses

CHESSBOARD = Board(dictionary=None)


SIZE = LENS.width_px, LENS.height_px


def parameters(camera: Camera) -> np.ndarray:
    return np.array([*camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]], *camera.distortion])


def off_in_std(found: Calibration, truth: Camera) -> np.ndarray:
    """How many of its own standard deviations each parameter is away from the truth."""
    free = found.fit.std > 0
    return (parameters(found.fit.camera) - parameters(truth))[free] / found.fit.std[free]


def drawn_views(
    camera: Camera, count: int, seed: int, noise_px: float = 0.1, **how: tuple[float, float]
) -> list[BoardView]:
    """Views as a detector of that noise would give them."""
    studio, rng = Studio(camera, BOARD), np.random.default_rng(seed)
    seen = (studio.view(pose, rng, noise_px) for pose in poses(BOARD, camera, rng, **how))
    return [view for view, _ in zip(filter(None, seen), range(count), strict=False)]


def write_shots(folder: Path, shown: list[BoardShot]) -> Path:
    folder.mkdir(exist_ok=True)
    for picture in shown:
        cv2.imwrite(str(folder / picture.name), picture.grey)
    return folder
