"""The board as it is printed, and as it is found in pictures whose truth is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calib.camera.board import DICTIONARIES, Board, find, refine
from runtime.errors import SettingsError
from tests.calib.camera.drawn import CHESSBOARD
from tests.calib.camera.rendered import BOARD, LENS, Studio, painted, poses


def test_corners_lie_one_square_apart_from_the_first_inner_one_row_by_row() -> None:
    corners = Board(5, 4, square_mm=10, dictionary=None).corners_mm()
    assert corners.tolist() == [[10.0 * (c + 1), 10.0 * (r + 1), 0.0] for r in range(3) for c in range(4)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": 3}, "is too small; expected 4x4 squares or more"),
        ({"rows": 0}, "is too small"),
        ({"square_mm": 0.0}, "a square's side must be positive"),
        ({"square_mm": float("nan")}, "a square's side must be positive"),
        ({"square_mm": float("inf")}, "a square's side must be positive"),
        ({"marker_share": 0.99}, "a marker's share of it 0.3 to 0.95"),
        ({"dictionary": "7X7_9"}, "no dictionary is called 7X7_9; OpenCV has "),
        ({"columns": 20, "rows": 10}, "needs 100 markers and the dictionary holds 50; take a larger one"),
    ],
)
def test_a_board_that_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Board(**settings)  # type: ignore[arg-type]
    assert message in str(refused.value)


def test_the_flags_of_a_board_are_those_that_differ_from_the_usual_one() -> None:
    assert Board().flags() == ""
    assert Board(dictionary=None).flags() == "--chessboard"
    assert Board(9, 8, 35.5, "5X5_50", 0.6, legacy=True).flags() == (
        "--squares 9x8 --square-mm 35.5 --dictionary 5X5_50 --marker-share 0.6 --legacy"
    )


def test_a_board_is_described_by_what_must_be_known_to_print_it_again() -> None:
    assert str(Board(dictionary=None)) == "11x7 squares"
    assert str(Board(legacy=True)) == "11x7 squares, ChArUco 4X4_50, the layout of before OpenCV 4.6"


@pytest.mark.parametrize("board", [BOARD, CHESSBOARD, Board(9, 6, dictionary="6X6_250")])
def test_every_corner_of_a_flat_board_is_found_at_its_place_and_by_its_number(board: Board) -> None:
    grey = np.pad(painted(board), 60, constant_values=255)
    corners = find(board, grey)
    assert corners is not None
    order = np.argsort(corners.numbers)
    assert corners.numbers[order].tolist() == list(range((board.columns - 1) * (board.rows - 1)))
    exact = board.corners_mm()[:, :2] * 4 + 60 - 0.5  # four pixels a millimetre; centres are at whole numbers
    found = corners.pixels[order]
    if board.dictionary is None:  # a chessboard looks the same turned by half
        found = min((found, found[::-1]), key=lambda pixels: float(np.abs(pixels - exact).max()))
    assert np.abs(found - exact).max() < 1.0


def test_a_charuco_board_may_be_seen_in_part_and_a_chessboard_only_whole() -> None:
    for board, seen in ((BOARD, True), (CHESSBOARD, False)):
        grey = np.pad(painted(board), 60, constant_values=255)
        corners = find(board, grey[:, : grey.shape[1] * 2 // 3])
        assert (corners is not None) is seen
    assert find(BOARD, np.random.default_rng(0).integers(0, 256, (480, 640), np.uint8)) is None


def test_the_board_of_another_layout_is_not_taken_for_this_one() -> None:
    grey = np.pad(painted(Board(7, 11)), 60, constant_values=255)
    assert find(BOARD, grey) is None


def test_corners_half_a_pixel_off_are_refined_to_a_tenth_and_flat_ground_has_none() -> None:
    studio, rng = Studio(LENS, BOARD), np.random.default_rng(0)
    for pose, _ in zip(poses(BOARD, LENS, rng), range(6), strict=False):
        rotation, _ = cv2.Rodrigues(pose[0])
        exact = cv2.projectPoints(BOARD.corners_mm(), rotation, pose[1], LENS.matrix, LENS.distortion)[0].reshape(-1, 2)
        inside = ((exact > 20) & (exact < np.array([LENS.width_px, LENS.height_px]) - 20)).all(axis=1)
        rough = exact[inside] + rng.uniform(-0.7, 0.7, (inside.sum(), 2))
        refined = refine(BOARD, studio.shot(pose, rng), rough, np.full(inside.sum(), 24.0))
        settled = np.isfinite(refined).all(axis=1)
        assert settled.mean() > 0.9
        assert np.median(np.linalg.norm((refined - exact[inside])[settled], axis=1)) < 0.12
    flat = np.full((64, 64), 120, np.uint8)
    assert np.isnan(refine(BOARD, flat, np.array([[30.0, 30.0]]), np.array([12.0]))).all()


def test_dictionaries_are_called_as_opencv_calls_them() -> None:
    assert DICTIONARIES["4X4_50"] == cv2.aruco.DICT_4X4_50
    assert not any(name.startswith("DICT") or name != name.upper() for name in DICTIONARIES)
