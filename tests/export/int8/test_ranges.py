from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from export.int8.ranges import BINS, CLIPS, Histogram, entropy_clip, least_squares_clip, max_clip, percentile_clip
from runtime.errors import ExportError

FLOATS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


def histogram_of(*batches: NDArray[np.float32]) -> Histogram:
    histogram = Histogram()
    for batch in batches:
        histogram.add(batch.astype(np.float32))
    return histogram


@given(st.lists(npst.arrays(np.float32, st.integers(1, 20), elements=FLOATS), min_size=1, max_size=5))
def test_batches_in_any_order_give_the_histogram_of_all_values_at_once(batches: list[NDArray[np.float32]]) -> None:
    at_once, backwards = histogram_of(np.concatenate(batches)), histogram_of(*batches[::-1])
    assert at_once.width == backwards.width and at_once.largest == backwards.largest
    np.testing.assert_array_equal(at_once.counts, backwards.counts)
    wanted = np.zeros(BINS, np.int64)
    for value in np.concatenate(batches):
        wanted[int(abs(float(value)) / at_once.width) if at_once.width else 0] += 1
    np.testing.assert_array_equal(at_once.counts, wanted)


def test_values_near_nothing_are_counted_too() -> None:
    assert histogram_of(np.array([0.0, 2e-38], np.float32)).counts.sum() == 2


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(ExportError, match="reaches nan"):
        histogram_of(np.array([1.0, np.nan]))


def long_tailed(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    values = np.maximum(rng.laplace(size=50_000), 0)  # after a ReLU
    return np.append(values, rng.uniform(20, 30, 5)).astype(np.float32)


def slow_squared_error(values: NDArray[np.float32], clip: float) -> float:
    step = clip / 127
    return float(np.square(np.minimum(np.rint(np.abs(values) / step), 127) * step - np.abs(values)).mean())


def slow_divergence(counts: list[float], kept: int) -> float:
    """Migacz's pseudo-code, 128 levels, a bin at a time."""
    true = counts[:kept]
    level = [b * 128 // kept for b in range(kept)]
    total, shared = [0.0] * 128, [0] * 128
    for b in range(kept):
        total[level[b]] += true[b]
        shared[level[b]] += true[b] > 0
    coarse = [total[level[b]] / shared[level[b]] if true[b] > 0 else 0.0 for b in range(kept)]
    true[-1] += sum(counts[kept:])
    if any(p > 0 and q == 0 for p, q in zip(true, coarse, strict=True)):
        return float("inf")
    pairs = [(p / sum(true), q / sum(coarse)) for p, q in zip(true, coarse, strict=True) if p > 0]
    return sum(p * np.log(p / q) for p, q in pairs)


def test_max_is_the_largest_and_percentile_leaves_one_value_in_ten_thousand_out() -> None:
    values = long_tailed(0)
    histogram = histogram_of(values)
    assert max_clip(histogram) == values.max()
    clip = percentile_clip(histogram)
    assert (values > clip).mean() <= 1e-4 < (values > clip - 2 * histogram.width).mean()


def test_entropy_is_the_least_divergence_of_a_slow_loop() -> None:
    histogram = histogram_of(long_tailed(1))
    counts = [float(n) for n in histogram.counts[: histogram.used]]
    counts[0] = counts[1]
    tried = [*range(128, len(counts), len(counts) // 128), len(counts)]
    best = min(tried, key=lambda kept: slow_divergence(list(counts), kept))
    assert entropy_clip(histogram) == pytest.approx(min(best * histogram.width, histogram.largest))


def test_least_squares_is_as_good_as_the_best_clip_of_all_values() -> None:
    values = long_tailed(2)
    errors = [slow_squared_error(values, share * values.max()) for share in np.linspace(0.2, 1, 81)]
    assert slow_squared_error(values, least_squares_clip(histogram_of(values))) <= 1.02 * min(errors)


@pytest.mark.parametrize("rule", CLIPS)
def test_an_even_spread_is_kept_whole_and_no_rule_breaks_on_nothing_but_zeros(rule: str) -> None:
    assert CLIPS[rule](histogram_of(np.linspace(0, 1, 200_001))) == pytest.approx(1, rel=0.02)
    assert CLIPS[rule](histogram_of(np.zeros(8))) == 0


@pytest.mark.parametrize("rule", sorted(CLIPS.keys() - {"max"}))
def test_one_bright_outlier_is_clipped(rule: str) -> None:
    values = np.append(np.abs(np.random.default_rng(0).normal(size=200_000)), 40.0)
    assert CLIPS[rule](histogram_of(values)) < 25
