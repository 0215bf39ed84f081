from __future__ import annotations

import numpy as np
import pytest

from calib.score.fit import fit
from calib.score.judge import calibration_error, judge, judge_held_out, reliability, split
from runtime.model.score_map import ScoreMap
from tests.calib.score.drawn import drawn


def test_each_frame_is_judged_by_a_fit_that_has_not_seen_its_flight() -> None:
    rng = np.random.default_rng(7)
    sharp, dull = drawn(ScoreMap(0.01, 0.05), 40, rng), drawn(ScoreMap(0.1, 0.3), 60, rng)
    together, how = judge_held_out([sharp, dull])
    assert how == "each flight by a fit to the others"
    np.testing.assert_array_equal(together.nll[:40], judge(fit(dull), sharp).nll)
    np.testing.assert_array_equal(together.probability[40:], judge(fit(sharp), dull).probability)


@pytest.mark.parametrize("frames", [[50], [50, 0], [45, 5]])
def test_without_a_flight_to_spare_blocks_alternate(frames: list[int]) -> None:
    part, how = split(frames)
    assert how.startswith("alternate blocks")
    assert np.flatnonzero(np.diff(part)).tolist() == [6, 12, 18, 24, 31, 37, 43]


def test_calibration_error_is_that_of_a_plain_loop_and_drawn_outcomes_have_little() -> None:
    rng = np.random.default_rng(8)
    stated = rng.random(4000)
    right = rng.random(4000) < stated
    wanted = 0.0
    for b in range(10):
        here = [(p, r) for p, r in zip(stated, right, strict=True) if b / 10 <= p < (b + 1) / 10]
        wanted += len(here) / 4000 * abs(sum(p for p, _ in here) / len(here) - sum(r for _, r in here) / len(here))
    assert calibration_error(stated, right) == pytest.approx(wanted)
    assert wanted < 0.03 < calibration_error(stated**3, right)
    assert all(low <= b.right <= high for b in reliability(stated, right) for low, high in [b.interval()])
