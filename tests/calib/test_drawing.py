"""What is drawn stands where it was asked for, to a fraction of a pixel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.drawing import BLUE, INK, PAPER, RED, dot, headed, line, mixed, padded, write, write_picture
from runtime.types import Picture


def paper(height_px: int = 40, width_px: int = 60) -> Picture:
    return np.full((height_px, width_px, 3), 255, np.uint8)


def centre_of_ink(panel: Picture) -> np.ndarray:
    """(x, y) of what is darker than paper, by how dark it is."""
    ink = 255.0 - panel.astype(np.float64).min(axis=2)
    y, x = np.mgrid[: panel.shape[0], : panel.shape[1]]
    return np.array([(ink * x).sum(), (ink * y).sum()]) / ink.sum()


@given(x=st.floats(12, 46), y=st.floats(12, 26))
def test_a_dots_centre_is_where_it_was_asked_for(x: float, y: float) -> None:
    panel = paper()
    dot(panel, np.array([x, y]), 5.0, INK)
    assert centre_of_ink(panel) == pytest.approx((x, y), abs=0.15)


def test_a_line_reaches_from_its_start_to_its_end_and_no_further() -> None:
    panel = paper()
    line(panel, np.array([10.0, 20.0]), np.array([49.5, 20.0]), INK)
    columns = np.flatnonzero((panel < 200).any(axis=(0, 2)))
    assert abs(columns.min() - 10) <= 1 and abs(columns.max() - 49.5) <= 1
    assert centre_of_ink(panel) == pytest.approx((29.75, 20), abs=0.3)


def test_colours_are_blue_green_red_as_opencv_writes_them(tmp_path: Path) -> None:
    panel = paper()
    dot(panel, np.array([20.0, 20.0]), 6.0, RED)
    dot(panel, np.array([45.0, 20.0]), 6.0, BLUE)
    write_picture(panel, tmp_path / "dots.png")
    read = cv2.imread(str(tmp_path / "dots.png"))
    assert (read == panel).all(), "PNG loses nothing"
    red, blue = read[20, 20].tolist(), read[20, 45].tolist()
    assert red[2] > 2 * red[0] and blue[0] > 2 * blue[2]
    assert [path.name for path in tmp_path.iterdir()] == ["dots.png"]


def test_text_is_written_above_its_base_line_and_to_the_right_of_its_start() -> None:
    panel = paper(60, 200)
    write(panel, "12.5", (40, 40))
    rows, columns = np.nonzero((panel < 200).any(axis=2))
    assert rows.min() >= 25 and rows.max() <= 41
    assert columns.min() >= 38 and columns.max() < 100


def test_a_panel_keeps_its_pixels_under_a_head_of_text() -> None:
    panel = np.random.default_rng(0).integers(0, 256, (30, 120, 3), np.uint8)
    framed = headed(panel, ["first", "second"])
    assert framed.shape == (30 + 88 + 24, 120 + 48, 3)
    assert (framed[88:118, 24:144] == panel).all()
    assert (framed[:20] == PAPER).all() and (framed[20:88] < 128).any()
    assert (headed(panel, [])[:88] == PAPER).all()


def test_a_panel_is_made_as_high_as_another_with_paper_below_it() -> None:
    panel = np.zeros((10, 6, 3), np.uint8)
    high = padded(panel, 25)
    assert high.shape == (25, 6, 3) and (high[:10] == 0).all() and (high[10:] == PAPER).all()
    assert (padded(panel, 10) == panel).all()


def test_a_colour_is_thinned_towards_paper() -> None:
    assert mixed(RED, 1.0) == RED and mixed(RED, 0.0) == PAPER
    assert mixed((0, 100, 200), 0.5) == (128, 178, 228)
