"""What is painted lies where its coordinates say, pixel by pixel, and colour, roughness and height agree."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from train.world.canvas import Canvas
from train.world.covers import Paint
from train.world.plan import Strip, rectangle

RED = Paint((200, 10, 20), 7)
GSD_M = 0.25


@pytest.fixture
def canvas() -> Canvas:
    return Canvas(40.0, 30.0, GSD_M)


def test_a_canvas_is_as_large_as_its_world(canvas: Canvas) -> None:
    assert canvas.shape == (120, 160)
    assert canvas.colour.shape == (120, 160, 3)
    assert canvas.rough.shape == canvas.height.shape == (120, 160)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.9])
def test_a_filled_polygon_has_its_area_in_all_three_pictures(canvas: Canvas, angle: float) -> None:
    canvas.fill(rectangle(20.0, 15.0, angle, 12.0, 8.0), RED, 5.0)
    for painted in (canvas.rough == 7, canvas.height == 5.0, (canvas.colour == RED.rgb).all(axis=2)):
        assert painted.sum() * GSD_M**2 == pytest.approx(12 * 8, rel=0.08)
        rows, columns = np.nonzero(painted)
        assert ((columns.mean() + 0.5) * GSD_M, (rows.mean() + 0.5) * GSD_M) == pytest.approx((20, 15), abs=0.2)


def test_paint_without_a_height_leaves_the_height(canvas: Canvas) -> None:
    canvas.height[:] = 3.0
    canvas.fill(rectangle(20.0, 15.0, 0.0, 10.0, 10.0), RED)
    assert (canvas.height == 3.0).all()
    canvas.fill(rectangle(20.0, 15.0, 0.0, 10.0, 10.0), RED, 0.0)
    assert canvas.height[60, 80] == 0.0


def line(cover: str = "line", **more: object) -> Strip:
    points = np.column_stack([np.linspace(5.0, 35.0, 61), np.full(61, 15.0)])
    return Strip(cover, points, 2.0, **more)  # type: ignore[arg-type]


def painted_columns(canvas: Canvas) -> np.ndarray:
    return np.nonzero(canvas.rough[60] == 7)[0] * GSD_M


def test_a_strip_is_painted_as_wide_as_it_is_and_as_it_is_widened(canvas: Canvas) -> None:
    canvas.draw(line(), RED)
    assert (canvas.rough[:, 80] == 7).sum() * GSD_M == pytest.approx(2.0, abs=0.5)
    canvas.draw(line(), RED, widen_m=4.0)
    assert (canvas.rough[:, 80] == 7).sum() * GSD_M == pytest.approx(6.0, abs=0.5)
    assert (canvas.height == 0).all()


def test_a_trimmed_strip_leaves_its_ends_free_and_a_high_one_stands_up(canvas: Canvas) -> None:
    canvas.draw(line(trim_m=(4.0, 10.0), height_m=1.5), RED)
    at = painted_columns(canvas)
    assert (at.min(), at.max()) == pytest.approx((9.0, 25.0), abs=0.5)
    assert canvas.height[60, 60] == 1.5


def test_a_dashed_strip_is_painted_in_pieces(canvas: Canvas) -> None:
    canvas.draw(line(dash_m=(2.0, 4.0)), RED)
    painted = canvas.rough[60] == 7
    starts = (np.nonzero(np.diff(painted.astype(int)) == 1)[0] + 1) * GSD_M
    assert starts == pytest.approx([5.0, 11.0, 17.0, 23.0, 29.0], abs=0.5)
    assert painted.sum() * GSD_M == pytest.approx(5 * 2.0, abs=1.5)


def test_a_strip_that_is_trimmed_away_is_not_painted(canvas: Canvas) -> None:
    canvas.draw(line(trim_m=(15.0, 15.0)), RED)
    assert not canvas.rough.any()


@pytest.mark.parametrize(("x", "y"), [(20.0, 15.0), (1.0, 29.0), (39.9, 0.1)])
def test_a_window_knows_each_pixels_place_along_and_across(canvas: Canvas, x: float, y: float) -> None:
    window = canvas.window(x, y, 0.7, 6.0, 3.0)
    assert window is not None
    direction = np.exp(0.7j)
    for row in range(window.rows.start, window.rows.stop, 5):
        for column in range(window.columns.start, window.columns.stop, 5):
            away = complex((column + 0.5) * GSD_M - x, (row + 0.5) * GSD_M - y) / direction
            at = row - window.rows.start, column - window.columns.start
            assert (window.along_m[at], window.across_m[at]) == pytest.approx((away.real, away.imag), abs=1e-4)


def test_a_window_holds_every_pixel_of_its_rectangle(canvas: Canvas) -> None:
    window = canvas.window(20.0, 15.0, 0.7, 6.0, 3.0)
    assert window is not None
    held = (np.abs(window.along_m) <= 6.0) & (np.abs(window.across_m) <= 3.0)
    assert held.sum() * GSD_M**2 == pytest.approx(12 * 6, rel=0.02)


def test_what_lies_outside_has_neither_window_nor_mask(canvas: Canvas) -> None:
    assert canvas.window(-20.0, 15.0, 0.0, 5.0, 5.0) is None
    assert canvas.window(20.0, 60.0, 0.0, 5.0, 5.0) is None
    assert canvas.mask(rectangle(100.0, 15.0, 0.0, 5.0, 5.0)) is None


def test_a_mask_is_what_a_test_of_each_pixel_says(canvas: Canvas) -> None:
    outline = np.array([[5.0, 4.0], [33.0, 9.0], [20.0, 12.0], [28.0, 26.0], [8.0, 22.0]])
    masked = canvas.mask(outline)
    assert masked is not None
    rows, columns, inside = masked
    polygon = outline.astype(np.float32)
    for row in range(rows.start, rows.stop, 3):
        for column in range(columns.start, columns.stop, 3):
            at = (column + 0.5) * GSD_M, (row + 0.5) * GSD_M
            margin = cv2.pointPolygonTest(polygon, at, True)
            if abs(margin) > GSD_M:
                assert inside[row - rows.start, column - columns.start] == (margin > 0)
