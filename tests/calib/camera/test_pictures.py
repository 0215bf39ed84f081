"""Two pictures of a calibration: red is what was not seen, and arrows are as long as the error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calib.camera.intrinsics import Calibration, calibrate
from calib.camera.pictures import coverage_picture, residual_picture
from calib.camera.views import BoardView
from tests.calib.camera.drawn import SIZE, drawn_views
from tests.calib.camera.rendered import LENS


def red(picture: np.ndarray) -> int:
    """Pixels in the colour of what is missing."""
    blue, green, ink = picture[..., 0].astype(int), picture[..., 1].astype(int), picture[..., 2].astype(int)
    return int(((ink > 200) & (green < 210) & (abs(blue - green) < 12)).sum())


def test_parts_of_the_frame_that_saw_no_board_are_red(calibration: Calibration, views: list[BoardView]) -> None:
    left = [replace(view, corners_px=view.corners_px[view.corners_px[:, 0] < 320]) for view in views]
    whole, half = (coverage_picture(calibration.fit, shown, SIZE)[:, :800] for shown in (views, left))
    assert red(half) > red(whole) + 0.3 * 800 * 600


def test_a_worse_fit_has_longer_arrows_and_a_less_certain_frame(
    calibration: Calibration, views: list[BoardView]
) -> None:
    picture = residual_picture(calibration, views)
    assert picture.dtype == np.uint8 and picture.shape[1] == 2 * (800 + 48)
    rough = drawn_views(LENS, 18, 0, noise_px=0.4)
    other = residual_picture(calibrate(rough, SIZE), rough)
    assert other.shape == picture.shape and (other != picture).any()
