"""The board that pictures show, when another one was named."""

from __future__ import annotations

import numpy as np
import pytest

from calib.camera.board import Board
from calib.camera.shots import BoardShot
from calib.camera.wrong_board import board_seen, has_markers
from tests.calib.camera.drawn import CHESSBOARD
from tests.calib.camera.rendered import BOARD, LENS, Studio, shots


def taken(board: Board, count: int = 6) -> list[BoardShot]:
    return list(shots(Studio(LENS, board), count, 4, fill=(0.5, 0.7), middle=(0.45, 0.55)))


@pytest.mark.parametrize("shown", [BOARD, Board(8, 6), Board(9, 8, dictionary="5X5_50", legacy=True)])
def test_a_charuco_boards_layout_is_read_off_its_markers(shown: Board) -> None:
    seen = board_seen(taken(shown), Board(10, 9, square_mm=31, dictionary="6X6_250"))
    assert seen is not None
    assert (seen.columns, seen.rows, seen.dictionary, seen.legacy) == (
        shown.columns,
        shown.rows,
        shown.dictionary,
        shown.legacy,
    )
    assert seen.square_mm == 31, "the size of a square cannot be seen and is taken as named"


def test_a_chessboard_is_told_by_the_shape_that_half_of_the_pictures_agree_on() -> None:
    seen = board_seen(taken(Board(9, 6, dictionary=None)), BOARD)
    assert seen is not None
    assert (seen.columns, seen.rows, seen.dictionary) == (9, 6, None)


def test_pictures_of_nothing_show_no_board() -> None:
    rng = np.random.default_rng(0)
    noise = [BoardShot(f"{i}", rng.integers(0, 256, (480, 640), np.uint8)) for i in range(4)]
    flat = [BoardShot("flat", np.full((480, 640), 110, np.uint8))]
    assert board_seen(noise, BOARD) is None and board_seen(flat, BOARD) is None
    assert not has_markers(noise[0]) and not has_markers(flat[0])


def test_markers_that_lie_anywhere_are_no_board() -> None:
    rng, dictionary = np.random.default_rng(0), BOARD.markers()
    grey = np.full((480, 640), 255, np.uint8)
    for number, cell in enumerate(rng.permutation(12 * 9)[:20]):
        top, left = 53 * (cell // 12) + rng.integers(2, 12), 53 * (cell % 12) + rng.integers(2, 12)
        grey[top : top + 36, left : left + 36] = dictionary.generateImageMarker(number, 36)
    shot = BoardShot("scattered", grey)
    assert has_markers(shot)
    assert board_seen([shot, shot], Board(10, 9)) is None


def test_markers_tell_a_charuco_board_from_a_chessboard() -> None:
    assert has_markers(taken(BOARD, 1)[0])
    assert not has_markers(taken(CHESSBOARD, 1)[0])
