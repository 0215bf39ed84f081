"""A sheet shows every pair, drone left and tile right, each under its label."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.types import Picture
from train.data.sheet import LabelledPair, write_sheet

SIDE = 32
GREEN, BLUE = (0, 200, 0), (0, 0, 200)


def flat(colour: tuple[int, int, int]) -> Picture:
    return np.full((SIDE, SIDE, 3), colour, np.uint8)


def sheet(path: Path, count: int, label: str = "a place") -> Picture:
    write_sheet(path, [LabelledPair(label, flat(GREEN), flat(BLUE))] * count)
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (3, 3, 1), (4, 4, 1), (5, 4, 2), (12, 4, 3)])
def test_pairs_fill_rows_of_four(count: int, columns: int, rows: int, tmp_path: Path) -> None:
    picture = sheet(tmp_path / "sheet.png", count)
    cell_width, cell_height = 2 * SIDE + 2 + 10, SIDE + 16 + 10
    assert picture.shape == (rows * cell_height, columns * cell_width, 3)
    for colour in (GREEN, BLUE):
        assert (picture == colour).all(axis=2).sum() == count * SIDE * SIDE


def test_the_drones_picture_is_left_of_its_tile(tmp_path: Path) -> None:
    picture = sheet(tmp_path / "sheet.png", 1)
    green, blue = (np.nonzero((picture == colour).all(axis=2))[1] for colour in (GREEN, BLUE))
    assert green.max() < blue.min() <= green.max() + 3


def test_a_long_label_is_cut_to_its_end_which_tells_places_apart(tmp_path: Path) -> None:
    def ink(label: str) -> Picture:
        return sheet(tmp_path / "sheet.png", 1, label)[:16]

    assert np.array_equal(ink("x" * 60 + "/place-07"), ink("y" * 60 + "/place-07"))
    assert not np.array_equal(ink("x" * 60 + "/place-07"), ink("x" * 60 + "/place-08"))


def test_a_sheet_is_written_whole_and_leaves_no_partial_file(tmp_path: Path) -> None:
    sheet(tmp_path / "below" / "sheet.png", 2)
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["sheet.png"]
