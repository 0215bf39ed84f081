"""Every arm trains by the spec that its line of the table says, on the batches that the trainer would render."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from runtime.errors import SettingsError, TrainError
from tests.train.ablation.conftest import made_run, made_scores
from train.ablation.arms import ARMS, ordered
from train.ablation.data import HELD_OUT, TUNING, open_places, open_tuning_places
from train.ablation.results import read_result, write_result
from train.ablation.study import ArmRun, Study, StudySpec, arm_spec, claim, replayed_batches
from train.data.dataset import collate
from train.fit.sampler import PlaceSampler
from train.losses.dphr import DphrSpec
from train.spec import TrainSpec


def no_tick(done: int, total: int) -> None: ...


def test_what_is_replayed_is_what_the_trainer_would_render(study_spec: StudySpec, tmp_path: Path) -> None:
    data = open_places(study_spec.base, (), 1).train(7)
    loader = DataLoader(
        data, batch_sampler=PlaceSampler(data.places, 8, seed=7, weights=data.weights), collate_fn=collate
    )
    with replayed_batches(study_spec.base, data, 7, tmp_path / "batches", no_tick) as stored:
        for _ in range(2):  # every arm
            for rendered, replayed in zip(islice(loader, 2), stored, strict=True):
                assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(rendered, replayed, strict=True))


@pytest.mark.parametrize(
    ("name", "host", "dphr"),
    [
        ("info_nce", "info_nce", None),
        ("hard_triplet", "hard_triplet", None),
        ("triplet", "none", DphrSpec(rda=False, palw=False, fixed_lambda=0.0)),
        ("rda", "none", DphrSpec(palw=False, fixed_lambda=1.0)),
        ("palw", "none", DphrSpec(rda=False)),
        ("dphr", "none", DphrSpec()),
        ("dphr_fixed", "none", DphrSpec(palw=False, fixed_lambda=0.3)),
        ("info_nce+dphr", "info_nce", DphrSpec()),
        ("info_nce+triplet", "info_nce", DphrSpec(rda=False, palw=False, fixed_lambda=0.3)),
    ],
)
def test_an_arm_changes_its_loss_and_nothing_else(name: str, host: str, dphr: DphrSpec | None, tiny: TrainSpec) -> None:
    base = replace(tiny, dphr=DphrSpec(margin=0.7))
    spec = arm_spec(ARMS[name], base, seed=5, lr=1e-3, mean_lambda=0.3)
    wanted = None if dphr is None else replace(dphr, margin=0.7)
    assert spec == replace(base, host=host, dphr=wanted, seed=5, lr=1e-3)


def test_an_arm_that_takes_its_lambda_from_another_needs_that_ones_run(tiny: TrainSpec, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="arm dphr_fixed needs a run of dphr first"):
        arm_spec(ARMS["dphr_fixed"], tiny, seed=0, lr=1e-3, mean_lambda=None)
    study = Study(StudySpec(replace(tiny, steps=1), views=1), tmp_path)
    with pytest.raises(TrainError, match=r"arm dphr_fixed, lr 0.001, seed 0: .*dphr\.json is no result"):
        study.run([ArmRun(ARMS["dphr_fixed"], 1e-3, tmp_path)], 0, lambda: open_places(study.spec.base, (), 1))


def test_a_study_that_has_all_results_opens_no_data(study_spec: StudySpec, tmp_path: Path) -> None:
    run = ArmRun(ARMS["dphr"], 1e-3, tmp_path)
    write_result(run.path, made_run("dphr", 0, {HELD_OUT: made_scores()}))
    opened: list[object] = []
    Study(study_spec, tmp_path).run([run], 0, lambda: opened.append("data") or open_places(study_spec.base, (), 1))
    assert opened == []
    assert [path.name for path in tmp_path.iterdir()] == [run.path.name], "nothing was trained"


def test_the_untrained_arm_takes_no_step_and_is_scored(study_spec: StudySpec, tmp_path: Path) -> None:
    ticks: list[tuple[int, int]] = []
    study = Study(study_spec, tmp_path, lambda done, total: ticks.append((done, total)))
    runs = [ArmRun(ARMS[name], 1e-3, tmp_path / "seed-0") for name in ("untrained", "info_nce")]
    study.run(runs, 0, lambda: open_places(study_spec.base, (), 1))
    start, trained = (read_result(run.path) for run in runs)
    assert (list(start.loss), len(trained.loss)) == ([], 2)
    assert start.weights_sha256 == trained.weights_sha256, "both hashes are of the start"
    assert 0 <= start.scores[HELD_OUT]["drone -> tile"]["ap"] <= 1
    assert ticks == [(1, 2), (2, 2), (1, 2), (2, 2)], "two batches, then the steps of the arm that trains"


def test_the_learning_rate_with_the_best_ap_is_taken_and_an_edge_is_told(
    study_spec: StudySpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    spec = replace(study_spec, rates=(1e-5, 1e-4, 1e-3))
    arms = ordered(["untrained", "info_nce", "triplet"])
    for arm, aps in (("info_nce", (0.2, 0.4, 0.3)), ("triplet", (0.1, 0.2, 0.3))):
        for rate, ap in zip(spec.rates, aps, strict=True):
            path = ArmRun(ARMS[arm], rate, tmp_path / "tuning" / f"{rate:g}").path
            write_result(path, made_run(arm, 0, {TUNING: made_scores(ap=ap)}))
    rates = Study(spec, tmp_path).tune(arms, lambda: pytest.fail("all rates have been tried"))
    assert rates == {"untrained": 1e-5, "info_nce": 1e-4, "triplet": 1e-3}
    assert caplog.messages == ["lr of info_nce: 0.0001", "lr of triplet: 0.001 (at the edge of what was tried)"]


def test_one_learning_rate_is_taken_without_a_trial(study_spec: StudySpec, tmp_path: Path) -> None:
    rates = Study(study_spec, tmp_path).tune(ordered(["dphr"]), lambda: pytest.fail("nothing to choose"))
    assert rates == {"dphr": 5e-4}
    assert not list(tmp_path.iterdir())


def test_rates_are_tried_on_the_tuning_places(study_spec: StudySpec, tmp_path: Path) -> None:
    spec = replace(study_spec, base=replace(study_spec.base, steps=1, batch=4), rates=(1e-5, 1e-2))
    places = open_tuning_places(spec.base, 1)
    rate = Study(spec, tmp_path).tune(ordered(["info_nce"]), lambda: places)["info_nce"]
    tried = {path.parent.name: read_result(path) for path in tmp_path.glob("tuning/*/info_nce.json")}
    assert set(tried) == {"1e-05", "0.01"}
    assert all(list(run.scores) == [TUNING] for run in tried.values())
    assert rate == max(tried.values(), key=lambda run: run.mean_ap(TUNING)).lr


def test_a_folder_is_claimed_for_one_study_and_machines_may_differ(study_spec: StudySpec, tmp_path: Path) -> None:
    claim(tmp_path, study_spec)
    claim(tmp_path, replace(study_spec, base=replace(study_spec.base, workers=3, threads=2)))
    for other in (replace(study_spec, views=2), replace(study_spec, base=replace(study_spec.base, steps=9))):
        with pytest.raises(SettingsError, match=r"holds an ablation with another (views|steps); give another --out"):
            claim(tmp_path, other)
