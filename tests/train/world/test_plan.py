"""The geometry of outlines and lines, against schoolbook figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.world.straight import area_m2
from train.world.plan import band, beside, blob, lengths, part, rectangle, turned

angles = st.floats(-7, 7)
sides = st.floats(0.5, 200)
L_SHAPE = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])


def test_a_quarter_turns_from_east_to_south() -> None:
    assert turned(np.array([[1.0, 0.0], [0.0, 1.0]]), math.pi / 2) == pytest.approx(np.array([[0, 1], [-1, 0]]))


@given(angles, angles)
def test_turns_add_up_and_keep_lengths(first: float, second: float) -> None:
    points = np.array([[3.0, 4.0], [-1.0, 0.5]])
    assert turned(turned(points, first), second) == pytest.approx(turned(points, first + second), abs=1e-9)
    assert np.hypot(*turned(points, first).T) == pytest.approx(np.hypot(*points.T))


@given(angles, sides, sides)
def test_a_rectangle_has_its_area_about_its_middle_wherever_it_points(
    angle: float, length: float, width: float
) -> None:
    corners = rectangle(5.0, -3.0, angle, length, width)
    assert area_m2(corners) == pytest.approx(length * width)
    assert corners.mean(axis=0) == pytest.approx([5.0, -3.0], abs=1e-9)
    assert corners[1] - corners[0] == pytest.approx(length * np.array([math.cos(angle), math.sin(angle)]), abs=1e-9)


def test_metres_along_a_line_are_sums_of_its_steps() -> None:
    assert lengths(L_SHAPE).tolist() == [0.0, 3.0, 7.0]


def test_a_part_of_a_line_keeps_the_corner_between_its_ends() -> None:
    assert part(L_SHAPE, 1.0, 5.0).tolist() == [[1.0, 0.0], [3.0, 0.0], [3.0, 2.0]]
    assert part(L_SHAPE, 3.5, 6.0).tolist() == [[3.0, 0.5], [3.0, 3.0]]


@given(st.floats(0, 7), st.floats(0, 7))
def test_a_part_is_as_long_as_it_says(a: float, b: float) -> None:
    start, end = sorted((a, b))
    assert lengths(part(L_SHAPE, start, end))[-1] == pytest.approx(end - start, abs=1e-9)


@given(angles, sides)
def test_the_band_of_a_straight_line_is_a_rectangle(angle: float, width: float) -> None:
    line = np.linspace(0, 10, 6)[:, None] * np.array([math.cos(angle), math.sin(angle)])
    outline = band(line, width)
    assert len(outline) == 12
    assert area_m2(outline) == pytest.approx(10 * width)


def test_beside_is_to_the_right_of_a_walker_and_at_its_distance() -> None:
    eastwards = np.column_stack([np.arange(0.0, 11.0), np.zeros(11)])
    south = np.array([0.0, 2.0])  # right of east
    assert beside(eastwards, 2.0) == pytest.approx(eastwards + south)
    assert beside(eastwards, -2.0) == pytest.approx(eastwards - south)


@pytest.mark.parametrize("seed", range(5))
def test_a_blob_is_round_with_bays_and_the_same_for_the_same_seed(seed: int) -> None:
    outline, again = (blob(np.array([50.0, 60.0]), 10.0, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(outline, again)
    radius = np.hypot(*(outline - (50.0, 60.0)).T)
    assert 3 < radius.min() < radius.max() < 20
    assert radius.std() > 0.3, "a circle has no bays"


def test_a_stretched_blob_is_longer_than_wide() -> None:
    outline = blob(np.zeros(2), 10.0, np.random.default_rng(0), 2.0)
    spread = np.linalg.svd(outline - outline.mean(axis=0), compute_uv=False)
    assert spread[0] > 2 * spread[1]
