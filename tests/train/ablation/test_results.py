"""Records of runs come back as they were written, and runs that cannot be compared are not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import TrainError
from tests.train.ablation.conftest import SET, made_run, made_runs, made_scores
from train.ablation.arms import ordered
from train.ablation.results import Column, Results, read_result, read_results, write_result

R1 = Column("drone -> tile", "r1")


def test_a_record_comes_back_as_it_was_written_and_begins_with_its_format(tmp_path: Path) -> None:
    run = made_run("dphr", 3, {SET: made_scores(0.25, 0.75)}, lambdas=[0.0, 0.5])
    path = tmp_path / "dphr.json"
    write_result(path, run)
    assert read_result(path) == run
    keys = list(json.loads(path.read_text()))
    assert keys[:5] == ["format", "arm", "seed", "lr", "batches_sha256"]
    assert path.read_text().count("\n") == 1


@pytest.mark.parametrize("text", ["", "[]", '{"arm": "dphr"}', '{"arm": "dphr", "unheard": 1}', "{"])
def test_what_is_no_record_is_told_with_its_path(text: str, tmp_path: Path) -> None:
    path = tmp_path / "dphr.json"
    path.write_text(text)
    with pytest.raises(TrainError, match=r"dphr\.json is no result of an ablation .*remove it"):
        read_result(path)
    with pytest.raises(TrainError, match=r"nowhere\.json is no result"):
        read_result(tmp_path / "nowhere.json")


def test_the_mean_ap_is_of_both_directions() -> None:
    assert made_run("dphr", 0, {SET: made_scores(ap=0.9)}).mean_ap(SET) == pytest.approx(0.7)


def test_differences_are_of_seeds_that_both_arms_have_and_means_of_all() -> None:
    results = Results({"info_nce": made_runs("info_nce", 0.50, 0.60), "dphr": made_runs("dphr", 0.53, 0.61, 0.1)})
    assert results.common_seeds("dphr") == [0, 1, 2]
    assert results.common_seeds("dphr", "info_nce") == [0, 1]
    assert results.values("dphr", SET, R1) == [0.53, 0.61, 0.1]
    assert results.spread("dphr", SET, R1).n == 3
    paired = results.paired("dphr", "info_nce", SET, R1)
    assert (paired.n, paired.mean) == (2, pytest.approx(0.02))
    assert results.sets == [SET]


def test_runs_of_other_seeds_and_arms_are_not_read(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        for arm in ("info_nce", "dphr"):
            write_result(tmp_path / f"seed-{seed}/{arm}.json", made_run(arm, seed, {SET: made_scores()}))
    results = read_results(tmp_path, ordered(["dphr"]), 2)
    assert {arm: sorted(runs) for arm, runs in results.runs.items()} == {"dphr": [0, 1]}


@pytest.mark.parametrize("name", ["batches_sha256", "weights_sha256"])
def test_runs_that_saw_or_started_from_other_things_are_not_compared(name: str, tmp_path: Path) -> None:
    for arm in ("info_nce", "dphr"):
        run = made_run(arm, 0, {SET: made_scores()})
        write_result(tmp_path / f"seed-0/{arm}.json", replace(run, **{name: arm}))
    with pytest.raises(TrainError, match=f"{name} is not that of info_nce"):
        read_results(tmp_path, ordered(["info_nce", "dphr"]), 1)


def test_a_folder_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="holds no results of these arms"):
        read_results(tmp_path, ordered(["dphr"]), 3)
