"""Pairs of one place, and squares that overlap much, are no negatives of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.data.batch import Batch

Square = tuple[float, float, float, float]
square = st.tuples(st.integers(0, 2).map(float), st.floats(-50, 50), st.floats(-50, 50), st.floats(10, 60))
NOWHERE = (float("nan"),) * 4


def batch(squares: Sequence[Square], places: Sequence[int] | None = None) -> Batch:
    """Pairs of these squares, each of another place unless said otherwise."""
    count = len(squares)
    blank = torch.zeros((count, 1, 1, 3), dtype=torch.uint8)
    place = torch.tensor(list(places) if places is not None else list(range(count)))
    return Batch(blank, blank, place, torch.tensor(squares, dtype=torch.float64), torch.arange(count))


def overlap(a: Square, b: Square) -> float:
    """Intersection over union, by hand."""
    across, up = (
        max(0.0, min(a[k] + a[3] / 2, b[k] + b[3] / 2) - max(a[k] - a[3] / 2, b[k] - b[3] / 2)) for k in (1, 2)
    )
    return across * up / (a[3] ** 2 + b[3] ** 2 - across * up) if a[0] == b[0] else 0.0


def test_equal_numbers_are_one_place_and_unknown_squares_overlap_nothing() -> None:
    same = batch([NOWHERE] * 4, [3, 5, 3, -4]).same_place()
    assert same.tolist() == [[k == m or {k, m} == {0, 2} for m in range(4)] for k in range(4)]


@pytest.mark.parametrize(("moved_m", "same"), [(0.0, True), (60.0, True), (70.0, False), (100.0, False)])
def test_squares_of_100_m_are_the_same_until_they_share_a_third(moved_m: float, same: bool) -> None:
    """A third of either is a fifth of both together: at 66.7 m."""
    pair = batch([(0, 0, 0, 100), (0, moved_m, 0, 100)]).same_place()
    assert bool(pair[0, 1]) is same


def test_squares_of_two_sites_never_overlap() -> None:
    assert batch([(0, 0, 0, 50), (1, 0, 0, 50)]).same_place().tolist() == [[True, False], [False, True]]


@given(st.lists(square, min_size=2, max_size=8))
def test_overlaps_are_what_a_slow_loop_says_both_ways(squares: list[Square]) -> None:
    same = batch(squares).same_place()
    assert torch.equal(same, same.T)
    assert bool(same.diagonal().all())
    for k, a in enumerate(squares):
        for m, b in enumerate(squares):
            share = overlap(a, b)
            if k != m and not np.isclose(share, 0.2):
                assert bool(same[k, m]) == (share > 0.2)
