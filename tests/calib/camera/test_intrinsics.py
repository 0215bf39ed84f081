from __future__ import annotations

import cv2
import numpy as np
import pytest

from calib.camera.board import Board
from calib.camera.intrinsics import calibrate, covariance_of, fit, pixel_std
from calib.camera.views import survey
from runtime.geo.camera import Camera
from tests.calib.camera.drawn import CHESSBOARD, SIZE, drawn_views, off_in_std, parameters
from tests.calib.camera.rendered import BOARD, LENS, Studio, shots


@pytest.mark.parametrize(("board", "seed"), [(BOARD, 0), (BOARD, 1), (CHESSBOARD, 2)])
def test_the_true_lens_lies_within_three_of_the_standard_deviations_that_are_told(board: Board, seed: int) -> None:
    inside = {"fill": (0.4, 0.6), "middle": (0.35, 0.65)} if board is CHESSBOARD else {}
    seen = survey(board, shots(Studio(LENS, board), 18, seed, **inside))
    assert len(seen.views) >= 16
    found = calibrate(seen.views, SIZE)
    assert np.abs(off_in_std(found, LENS)).max() < 3.5
    assert found.fit.std[0] < 0.001 * LENS.matrix[0, 0]
    assert found.held_out_px[found.model] < 0.1


def test_standard_deviations_are_honest_over_many_seeds_for_parameters_and_for_pixels() -> None:
    corner = np.array([[20.0, 460.0]])
    ray = np.array([[-0.55, 0.4, 1.0]])
    off, where, message = [], [], []
    for seed in range(16):
        views = drawn_views(LENS, 14, seed)
        whole = fit(views, SIZE, "k1 k2 p1 p2")
        off.append((parameters(whole.camera) - parameters(LENS))[:8] / whole.std[:8])
        where.append(cv2.projectPoints(ray, np.zeros(3), np.zeros(3), whole.camera.matrix, whole.camera.distortion)[0])
        message.append(pixel_std(whole.camera, covariance_of(whole, views), corner)[0])
    assert np.abs(off).max() < 4.5
    assert np.sqrt(np.mean(np.square(off), axis=0)) == pytest.approx(np.ones(8), abs=0.45)
    assert np.sqrt(np.var(where, axis=0).sum()) == pytest.approx(np.mean(message), rel=0.35)


def test_the_covariance_has_the_standard_deviations_of_opencv_on_its_diagonal() -> None:
    found = calibrate(drawn_views(LENS, 14, 0), SIZE)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(found.fit.std, rel=1e-4)


@pytest.mark.parametrize(
    ("distortion", "expected"),
    [((0, 0, 0, 0, 0), 0), ((-0.3, 0.12, 0, 0, 0), 2), ((-0.3, 0.12, 2e-3, -2e-3, 0), 4)],
)
def test_a_lens_gets_the_coefficients_that_held_out_views_ask_for(distortion: tuple[float, ...], expected: int) -> None:
    camera = Camera(*SIZE, LENS.matrix, np.array(distortion, float))
    found = calibrate(drawn_views(camera, 15, 1, 0.05), SIZE)
    assert (found.fit.std[4:] > 0).sum() == expected
    assert found.held_out_px[found.model] == pytest.approx(0.05 * 2**0.5, rel=0.1)
