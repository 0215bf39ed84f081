"""Matches and fits between two sets of points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.locate.similarity import likest_near, mutual_matches


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 10**6))
def test_matches_are_those_of_a_slow_loop(count_a: int, count_b: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(n, 8)).astype(np.float32) for n in (count_a, count_b))
    wanted = set()
    for i in range(count_a):
        j = max(range(count_b), key=lambda k: float(a[i] @ b[k]))
        if i == max(range(count_a), key=lambda k: float(a[k] @ b[j])):
            wanted.add((i, j))
    mine, theirs = mutual_matches(a, b)
    assert set(zip(mine.tolist(), theirs.tolist(), strict=True)) == wanted


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.0, 150.0), st.integers(0, 10**6))
def test_the_likest_near_are_those_of_a_slow_loop(count_a: int, count_b: int, reach_m: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(n, 8)).astype(np.float32) for n in (count_a, count_b))
    a, b = (some / np.linalg.norm(some, axis=1, keepdims=True) for some in (a, b))
    a_at_m, b_at_m = (rng.uniform(-100.0, 100.0, (n, 2)) for n in (count_a, count_b))
    a_at_m[rng.random(count_a) < 0.1] = np.nan  # above the horizon
    likest, cosine = likest_near(a, a_at_m, b, b_at_m, reach_m)
    assert len(likest) == len(cosine) == count_a
    for i in range(count_a):
        near = [j for j in range(count_b) if np.hypot(*(a_at_m[i] - b_at_m[j])) <= reach_m]
        best = max((float(a[i] @ b[j]) for j in near), default=-1.0)
        assert cosine[i] == pytest.approx(best, abs=1e-5)
        assert not near or float(a[i] @ b[likest[i]]) == pytest.approx(best, abs=1e-5)
