"""The report on verdicts made by hand: every number can be worked out on paper."""

from __future__ import annotations

import json

import numpy as np
import pytest

from runtime.fix import NoFix
from runtime.flights.truth import Truth
from runtime.geo.local import LocalFrame
from runtime.replay.score import error_summary, score
from tests.runtime.replay.drawn import HOME, fix

AT_HOME = Truth(HOME, HOME, True)


def test_a_miss_counts_as_infinitely_wrong_over_all_frames_and_not_at_all_over_fixes() -> None:
    errors_m = [1.0, 4.0, 7.0, 20.0, 30.0, 60.0]
    verdicts = [fix(t, e) for t, e in enumerate(errors_m)] + [NoFix(t * 1_000_000, "no_match") for t in (6, 7, 8, 9)]
    report = score(verdicts, {v.t_us: AT_HOME for v in verdicts}, []).to_json()
    of_fixes, of_all = (report["position_error_m"][key] for key in ("of_fixes", "of_all_frames"))
    assert (report["frames"], report["fixes"], report["no_fix_rate"]) == (10, 6, 0.4)
    assert (of_fixes["count"], of_all["count"]) == (6, 10)
    assert of_fixes["median"] == pytest.approx(7.0, abs=0.01)
    assert of_fixes["mean"] == pytest.approx(122 / 6, abs=0.01)
    assert of_fixes["p90"] == of_fixes["worst"] == pytest.approx(60.0, abs=0.05)
    assert of_fixes["within"] == {"5m": 0.3333, "10m": 0.5, "25m": 0.6667, "50m": 0.8333}
    assert of_all["median"] == pytest.approx(30.0, abs=0.02)
    assert [of_all[key] for key in ("mean", "p90", "p95", "worst")] == [None] * 4
    assert of_all["within"] == {"5m": 0.2, "10m": 0.3, "25m": 0.4, "50m": 0.5}
    assert report["no_fix_reasons"] == {"no_match": 4}
    assert "Infinity" not in json.dumps(report)
    assert "NaN" not in json.dumps(report)


def test_frames_without_truth_are_flown_and_not_scored() -> None:
    verdicts = [fix(0, 3.0, ground_m=8.0), fix(1, 500.0), fix(2, 5.0), NoFix(3_000_000, "no_match")]
    truth = {0: AT_HOME, 2_000_000: Truth(HOME, None, True), 99: AT_HOME}
    report = score(verdicts, truth, []).to_json()
    assert report["fixes"] == 3
    assert report["position_error_m"]["of_fixes"]["count"] == 2
    assert report["position_error_m"]["of_all_frames"]["worst"] == pytest.approx(5.0, abs=0.01)
    assert report["ground_error_m"]["of_fixes"]["count"] == 1
    assert report["ground_error_m"]["of_fixes"]["median"] == pytest.approx(8.0, abs=0.01)


def test_frames_whose_truth_is_not_verified_are_not_scored() -> None:
    report = score([fix(0, 3.0), fix(1, 400.0)], {0: AT_HOME, 1_000_000: Truth(HOME, HOME, False)}, []).to_json()
    assert report["fixes"] == 2
    assert report["position_error_m"]["of_fixes"]["count"] == report["position_error_m"]["of_all_frames"]["count"] == 1
    assert report["position_error_m"]["of_fixes"]["worst"] == pytest.approx(3.0, abs=0.01)


def test_coverage_is_the_share_inside_each_ellipse() -> None:
    """With sigma 2 m the 50, 90 and 99% circles have radii of 2.35, 4.29 and 6.07 m, the protection level 7.43 m."""
    verdicts = [fix(t, e) for t, e in enumerate((1.0, 2.3, 2.4, 4.2, 4.4, 6.0, 6.2, 7.4, 7.5, 100.0))]
    report = score(verdicts, {v.t_us: AT_HOME for v in verdicts}, []).to_json()
    assert report["coverage"] == {"50%": 0.2, "90%": 0.4, "99%": 0.6}
    assert report["hpl_misses"] == 2


def test_a_step_that_no_drone_makes_is_a_jump_unless_a_loss_was_said() -> None:
    """A second apart: 30 m are flown, and twice 7.43 m are the protection levels'."""
    for apart_m, jumps in ((44.0, 0), (46.0, 1)):
        verdicts = [fix(0, 0.0), fix(1, apart_m)]
        assert score(verdicts, {}, []).jumps == jumps
    assert score([fix(0, 0.0), NoFix(1_000_000, "no_match"), fix(2, 500.0)], {}, []).jumps == 0


def test_honest_errors_are_covered_as_stated() -> None:
    rng = np.random.default_rng(0)
    away = rng.normal(0, 2.0, (1500, 2))
    verdicts, truth = [], {}
    for t, (east, north) in enumerate(away):
        verdicts.append(fix(t, 0.0))
        truth[t * 1_000_000] = Truth(LocalFrame(HOME).to_latlon(east, north), None, True)
    shares = score(verdicts, truth, []).coverage
    assert list(shares.values()) == pytest.approx([0.5, 0.9, 0.99], abs=0.03)


def test_the_first_fix_and_the_stages_are_timed() -> None:
    verdicts = [NoFix(5_000_000, "blank_picture", 1.0), NoFix(6_000_000, "no_match", 2.0), fix(7.5, 0.0, ms=30.0)]
    report = score(verdicts, {}, [{}, {"embed": 4.0}, {"embed": 6.0, "register": 20.0}]).to_json()
    assert report["time_to_first_fix_s"] == pytest.approx(2.5)
    assert report["latency_ms"]["embed"] == {"p50": 5.0, "p99": 5.98}
    assert report["latency_ms"]["register"]["p50"] == 20.0
    assert report["latency_ms"]["frame"]["p50"] == 2.0
    assert report["position_error_m"]["of_fixes"] == {"count": 0}
    assert report["coverage"] == {"50%": None, "90%": None, "99%": None}


def test_a_flight_without_any_fix_has_a_report() -> None:
    report = score([NoFix(0, "no_match")], {0: AT_HOME}, [{}]).to_json()
    assert report["no_fix_rate"] == 1.0
    assert report["time_to_first_fix_s"] is None
    assert report["position_error_m"]["of_all_frames"]["median"] is None
    assert report["position_error_m"]["of_all_frames"]["within"]["50m"] == 0.0
    assert json.dumps(report)


@pytest.mark.parametrize(("frames", "median"), [(1, 2.0), (2, 2.0), (3, None), (4, None)])
def test_the_median_is_an_error_that_half_of_the_frames_keep_to(frames: int, median: float | None) -> None:
    assert error_summary([2.0], frames).median == median
