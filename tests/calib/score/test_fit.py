"""The fit against plain loops and known truth."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.score.fit import fit, nll, place_probability, tile_probability
from calib.score.queries import judged
from runtime.model.score_map import ScoreMap
from tests.calib.score.drawn import FOOTPRINT_M, STRIDE_M, drawn


@given(
    st.floats(0.005, 0.5),
    st.floats(0.0, 1.0),
    st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=9),
    st.integers(0, 8),
)
def test_probabilities_are_those_of_a_plain_loop(t: float, e: float, cosines: list[float], which: int) -> None:
    right = which % len(cosines)
    away_m = np.array([[STRIDE_M * i, 0.0] for i in range(len(cosines))])
    query = judged(np.array(cosines), away_m - away_m[right], FOOTPRINT_M)
    weights = [math.exp((cosine - max(cosines)) / t) for cosine in cosines]
    tile = [(1 - e) * weight / sum(weights) + e / len(cosines) for weight in weights]
    best = cosines.index(max(cosines))
    place = sum(p for i, p in enumerate(tile) if abs(i - best) * STRIDE_M < FOOTPRINT_M / 2)
    found = ScoreMap(t, e)
    assert tile_probability(found, [query])[0] == pytest.approx(tile[right])
    assert place_probability(found, [query])[0] == pytest.approx(place)
    assert query.place_is_right == (abs(right - best) * STRIDE_M < FOOTPRINT_M / 2)


@pytest.mark.parametrize("true", [ScoreMap(0.02, 0.1), ScoreMap(0.05, 0.4)])
def test_the_temperature_and_outlier_share_that_drew_the_frames_are_found(true: ScoreMap) -> None:
    found = fit(drawn(true, 800, np.random.default_rng(3)))
    assert found.temperature == pytest.approx(true.temperature, rel=0.15)
    assert found.outlier_share == pytest.approx(true.outlier_share, abs=0.05)


def test_no_temperature_and_share_nearby_are_likelier() -> None:
    queries = drawn(ScoreMap(0.03, 0.2), 120, np.random.default_rng(4))
    found = fit(queries)
    least = nll(found, queries).mean()
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert nll(replace(found, temperature=found.temperature * factor), queries).mean() >= least
        assert nll(replace(found, outlier_share=found.outlier_share * factor), queries).mean() >= least


def test_frames_without_an_outlier_do_not_show_that_there_is_none() -> None:
    queries = drawn(ScoreMap(0.02, 0.0), 40, np.random.default_rng(5))
    assert fit(queries).outlier_share >= 1 / 42
