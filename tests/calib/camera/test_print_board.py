from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.camera.__main__ import main
from calib.camera.board import Board
from calib.camera.print_board import fitted, page, write
from calib.camera.shots import BoardShot
from calib.camera.views import survey
from runtime.errors import SettingsError
from tests.calib.camera.drawn import CHESSBOARD
from tests.calib.camera.rendered import BOARD


@pytest.mark.parametrize("board", [BOARD, CHESSBOARD, Board(8, 10, dictionary="5X5_50", legacy=True)])
def test_the_printed_board_is_found_whole_and_has_its_size(board: Board, tmp_path: Path) -> None:
    board = fitted(board, "A3", None)
    write(page(board, "A3"), tmp_path / "board.png")
    data = (tmp_path / "board.png").read_bytes()
    assert int.from_bytes(data[(at := data.index(b"pHYs") + 4) : at + 4], "big") == round(300 / 0.0254)
    printed = cv2.imread(str(tmp_path / "board.png"), cv2.IMREAD_GRAYSCALE)
    (view,) = survey(board, iter([BoardShot("board.png", printed)])).views
    assert len(view.board_mm) == np.prod(board.inner)
    beside_mm = np.linalg.norm(np.diff(view.corners_px[:2], axis=0)) * 25.4 / 300
    assert beside_mm == pytest.approx(board.square_mm, abs=0.1)


def test_the_printed_pdf_says_how_to_calibrate_and_has_the_papers_size(tmp_path: Path) -> None:
    assert main(["--print-board", str(tmp_path / "board.pdf"), "--square-mm", "20"]) == 0
    text = (tmp_path / "board.pdf").read_bytes()
    assert b"MediaBox [0 0 841.890 595.276]" in text  # A4 in points
    assert b"python -m calib.camera PICTURES --square-mm 20 --out camera.yaml" in text
    start = int(text.split(b"startxref\n")[1].split()[0])
    assert text[start:].startswith(b"xref")
    for number, row in enumerate(text[start:].split(b"\n")[3:7], start=1):
        assert text[int(row[:10]) :].startswith(b"%d 0 obj" % number)


def test_squares_that_do_not_fit_the_paper_are_refused_with_the_most_that_do() -> None:
    with pytest.raises(SettingsError, match="24 mm is the most"):
        fitted(BOARD, "A4", 30)
    with pytest.raises(SettingsError, match="holds 50"):
        Board(20, 10)
