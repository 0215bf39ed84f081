"""The report holds every arm, its figures are those of the runs, and what one seed cannot tell stays blank."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.train.ablation.conftest import SET, made_run, made_runs, made_scores
from train.ablation.data import HELD_OUT
from train.ablation.report import figures, markdown, write_report
from train.ablation.results import Results, read_result
from train.ablation.study import StudySpec
from train.spec import TrainSpec

STUDY = StudySpec(TrainSpec(data=("world:1",)))


def test_the_report_holds_every_arm_with_figures_and_pictures(done: Path) -> None:
    report = (done / "report.md").read_text()
    assert "n = 2 seeds" in report
    assert "| DPHR in place of InfoNCE: dphr - info_nce |" in report
    shares = json.loads((done / "report.json").read_text())[HELD_OUT]["dphr"]["drone -> tile ap"]
    runs = [read_result(done / f"seed-{seed}/dphr.json") for seed in (0, 1)]
    values = [run.scores[HELD_OUT]["drone -> tile"]["ap"] for run in runs]
    assert shares["values"] == values
    assert shares["mean"] == pytest.approx(sum(values) / 2)
    for name in ("differences-0.png", "lambda.png"):
        assert (done / name).read_bytes().startswith(b"\x89PNG")


def test_the_table_of_differences_shows_them_in_points() -> None:
    # The third seed of dphr has no partner yet: means take it, differences do not.
    results = Results({"info_nce": made_runs("info_nce", 0.50, 0.60), "dphr": made_runs("dphr", 0.53, 0.61, 0.1)})
    text = markdown(results, STUDY, "info_nce")
    assert "| dphr | +2.0 ± 1.0 [-10.7, +14.7] 2:0 |" in text
    assert "| info_nce | 55.0 ± 7.1 |" in text
    assert "n = 2 to 3 seeds (unfinished)" in text


def test_one_seed_is_shown_without_a_spread_and_written_as_null() -> None:
    results = Results({"info_nce": made_runs("info_nce", 0.50), "dphr": made_runs("dphr", 0.53)})
    text = markdown(results, STUDY, "info_nce")
    assert "| dphr | 53.0% |" in text
    assert "| dphr | +3.0 |" in text
    column = figures(results, "info_nce")[SET]["dphr"]["drone -> tile r1"]
    assert column["sd"] is None
    assert column["less info_nce"] == {"mean": pytest.approx(0.03), "standard_error": None, "low": None, "high": None,
                                       "wins": 1, "losses": 0, "n": 1}  # fmt: skip
    assert "NaN" not in json.dumps(figures(results, "info_nce"))


def test_without_the_reference_there_are_scores_and_no_differences(tmp_path: Path) -> None:
    results = Results({"dphr": made_runs("dphr", 0.53, 0.55)})
    text = markdown(results, STUDY, "info_nce")
    assert "54.0 ± 1.4" in text
    assert "Less info_nce" not in text
    assert figures(results, "info_nce")[SET]["dphr"]["tile -> drone ap"]["less info_nce"] is None


def test_the_arm_table_says_rates_and_the_mean_lambda_of_arms_that_have_one() -> None:
    dphr = {0: made_run("dphr", 0, {SET: made_scores()}, [0.0, 0.5]), 1: made_run("dphr", 1, {SET: made_scores()}, [1])}
    lines = markdown(Results({"info_nce": made_runs("info_nce", 0.5), "dphr": dphr}), STUDY, "info_nce").splitlines()
    assert "| dphr | `L_tri + lambda_t L_wtri` | 0.001 | 0.62 | 2 |" in lines
    assert "| info_nce | `InfoNCE` | 0.001 |  | 1 |" in lines


def test_how_rates_were_chosen_is_said() -> None:
    results = Results({"dphr": made_runs("dphr", 0.5)})
    assert "One learning rate for all arms: 0.0005. It was not tuned" in markdown(results, STUDY, "info_nce")
    tuned = StudySpec(STUDY.base, rates=(1e-4, 1e-3))
    assert "is the best of 0.0001, 0.001 by mean AP" in markdown(results, tuned, "info_nce")


def test_files_are_written_with_one_picture_for_each_scored_set(tmp_path: Path) -> None:
    scores = {name: made_scores() for name in ("held-out places", "pairs:two_dates")}
    runs = {arm: {seed: made_run(arm, seed, scores, [0.1, 0.2]) for seed in (0, 1)} for arm in ("info_nce", "dphr")}
    written = write_report(Results(runs), STUDY, "info_nce", tmp_path)
    assert [path.name for path in written] == [
        "report.md", "report.json", "differences-0.png", "differences-1.png", "lambda.png"]  # fmt: skip
    assert all(path.stat().st_size > 100 for path in written)
    values = json.loads((tmp_path / "report.json").read_text())
    assert set(values) == set(scores)
    assert math.isclose(values["pairs:two_dates"]["dphr"]["drone -> tile r1"]["less info_nce"]["mean"], 0.0)
