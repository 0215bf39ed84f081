"""Matches and fits between two sets of points."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.locate.similarity import mutual_matches


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
