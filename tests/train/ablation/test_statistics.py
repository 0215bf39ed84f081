"""Figures of a handful of seeds are those worked out by hand, and quantiles are Student's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.ablation.statistics import _T95, paired_difference, spread

shares = st.floats(0, 1, width=32)


def test_paired_differences_are_those_worked_out_by_hand() -> None:
    # 0.1, 0.0 and 0.2: mean 0.1, sample sd 0.1, standard error 0.1 / sqrt(3), and t = 4.303 for two degrees of freedom.
    paired = paired_difference([0.5, 0.6, 0.7], [0.4, 0.6, 0.5])
    assert paired[:4] == pytest.approx((0.1, 0.057735, 0.1 - 0.248434, 0.1 + 0.248434), abs=1e-5)
    assert paired[4:] == (2, 0, 3)
    assert spread([0.4, 0.6]) == pytest.approx((0.5, 0.141421, 2), abs=1e-5)


def test_one_seed_has_a_mean_and_no_spread() -> None:
    paired = paired_difference([0.5], [0.4])
    assert paired.mean == pytest.approx(0.1)
    assert np.isnan([paired.standard_error, paired.low, paired.high, spread([0.5]).sd]).all()
    assert (paired.wins, paired.losses, paired.n) == (1, 0, 1)
    assert np.isnan(spread([]).mean)


def test_percentage_points_scale_the_figures_and_not_the_counts() -> None:
    paired = paired_difference([0.5, 0.6, 0.7], [0.4, 0.6, 0.5])
    points = paired.scaled(100)
    assert points[:4] == pytest.approx([100 * value for value in paired[:4]])
    assert points[4:] == paired[4:]


@given(st.lists(st.tuples(shares, shares), min_size=2, max_size=12))
def test_swapping_the_arms_turns_every_figure_round(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = ([pair[k] for pair in pairs] for k in (0, 1))
    forth, back = paired_difference(ours, theirs), paired_difference(theirs, ours)
    assert forth.mean == pytest.approx(-back.mean, abs=1e-12)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert (forth.wins, forth.losses) == (back.losses, back.wins)


@given(st.lists(st.tuples(shares, shares), min_size=2, max_size=12), st.lists(shares, min_size=12, max_size=12))
def test_what_a_seed_adds_to_both_arms_is_gone(pairs: list[tuple[float, float]], luck: list[float]) -> None:
    ours, theirs = ([pair[k] for pair in pairs] for k in (0, 1))
    lucky = [[value + extra for value, extra in zip(arm, luck, strict=False)] for arm in (ours, theirs)]
    assert paired_difference(*lucky)[:2] == pytest.approx(paired_difference(ours, theirs)[:2], abs=1e-6)


def test_quantiles_hold_95_percent_of_students_t() -> None:
    for freedom, quantile in enumerate(_T95, 1):
        t = np.linspace(-quantile, quantile, 20_001)
        density = (1 + t**2 / freedom) ** (-(freedom + 1) / 2)
        half = np.arctan(np.linspace(0, 1e4, 2)[1])  # the tails: substitute t = tan(u)
        u = np.linspace(-half, half, 200_001)
        whole = (1 + np.tan(u) ** 2 / freedom) ** (-(freedom + 1) / 2) / np.cos(u) ** 2
        inside = area(density, t) / area(whole, u)
        assert inside == pytest.approx(0.95, abs=2e-4), freedom


def area(y: np.ndarray, x: np.ndarray) -> float:
    return float(((y[1:] + y[:-1]) * np.diff(x)).sum() / 2)
