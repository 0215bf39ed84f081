"""The ablation is fair (same start, same batches), goes on where it stopped, and its figures are right."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from runtime.errors import DataError, SettingsError, TrainError
from train.ablation.__main__ import main
from train.ablation.arms import ARMS, ordered
from train.ablation.data import HELD_OUT, TUNING, open_grounds, open_tuning_grounds
from train.ablation.report import markdown
from train.ablation.results import Results, read_results
from train.ablation.statistics import _T95, paired, spread
from train.ablation.study import Job, Study, StudySpec, claim
from train.data.dataset import collate
from train.fit.sampler import PlaceSampler
from train.spec import TrainSpec

SMALL = ["--backbone", "test_efficientnet", "--init", "random", "--dim", "8", "--side", "32", "--batch", "8"]
SMALL += [
    "--steps",
    "5",
    "--lr",
    "2e-5",
    "--augment",
    "0",
    "--window",
    "1",
    "--views",
    "1",
    "--workers",
    "0",
    "--device",
    "cpu",
]


def _command(pictures: Path, out: Path, *more: str, arms: str = "info_nce dphr") -> list[str]:
    return ["--data", f"overhead:{pictures}@0.6", *SMALL, "--arms", *arms.split(), "--out", str(out), *more]


def _results(out: Path) -> dict[str, dict[str, Any]]:
    return {str(p.relative_to(out)): json.loads(p.read_text()) for p in sorted(out.glob("seed-*/*.json"))}


@pytest.fixture(scope="module")
def done(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms and two seeds; not to be written to."""
    out = tmp_path_factory.mktemp("ablation") / "out"
    assert main(_command(pictures, out, "--seeds", "2", arms="info_nce dphr dphr_fixed")) == 0
    return out


@pytest.fixture
def study_spec(tiny: TrainSpec) -> StudySpec:
    return StudySpec(replace(tiny, steps=2), views=1)


def test_arms_of_a_seed_start_alike_and_see_the_same_batches_and_seeds_do_not(done: Path) -> None:
    runs = list(_results(done).values())
    assert len(runs) == 6
    for key in ("batches_sha256", "weights_sha256"):
        of_seeds = [{run[key] for run in runs if run["seed"] == seed} for seed in (0, 1)]
        assert [len(values) for values in of_seeds] == [1, 1], f"{key} is the same for all arms of a seed"
        assert of_seeds[0] != of_seeds[1]
    losses = {tuple(run["loss"]) for run in runs if run["seed"] == 0}
    assert len(losses) == 3, "arms differ in their loss"
    assert not (done / "batches").exists()


def test_what_is_replayed_is_what_the_trainer_would_render(study_spec: StudySpec, tmp_path: Path) -> None:
    data = open_grounds(study_spec.base, (), 1).train(7)
    loader = DataLoader(
        data, batch_sampler=PlaceSampler(data.places, 8, seed=7, weights=data.weights), collate_fn=collate
    )
    with Study(study_spec, tmp_path)._replayed(data, 7) as stored:
        for _ in range(2):  # every arm
            for rendered, replayed in zip(islice(loader, 2), stored, strict=True):
                assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(rendered, replayed, strict=True))


def test_a_fixed_lambda_is_the_mean_of_the_full_arm_of_the_same_seed(done: Path) -> None:
    runs, varied = _results(done), []
    for seed in (0, 1):
        full, fixed = (runs[f"seed-{seed}/{arm}.json"]["lambda_t"] for arm in ("dphr", "dphr_fixed"))
        varied.append(len(set(full)) > 1)
        np.testing.assert_allclose(fixed, np.mean(full))
    assert any(varied), "a lambda that stays 0 tests nothing"


def test_an_interrupted_ablation_goes_on_and_ends_as_if_it_was_not(
    done: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, say = tmp_path / "out", "train.ablation.__main__._say"
    command = _command(pictures, out, "--seeds", "1", arms="info_nce dphr dphr_fixed")

    def interrupted(text: str) -> None:
        if "dphr at" in text:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(say, interrupted)
        assert main(command) == 130
    assert list(_results(out)) == ["seed-0/dphr.json", "seed-0/info_nce.json"]
    assert not (out / "batches").exists()
    capsys.readouterr()
    assert main(command) == 0
    assert "info_nce at" not in capsys.readouterr().err, "what was done is not done again"
    whole = _results(done)
    assert len(_results(out)) == 3
    for name, run in _results(out).items():
        assert {**run, "elapsed_s": 0} == {**whole[name], "elapsed_s": 0}


def test_other_settings_do_not_mix_with_results_that_are_there(
    done: Path, pictures: Path, study_spec: StudySpec
) -> None:
    assert main(_command(pictures, done, "--seeds", "2", "--beta", "0.5")) == 1
    with pytest.raises(SettingsError, match="another"):
        claim(done, study_spec)


def test_runs_that_saw_other_batches_are_not_compared(done: Path, tmp_path: Path) -> None:
    folder = tmp_path / "seed-0"
    folder.mkdir()
    for arm in ("info_nce", "dphr"):
        run = json.loads((done / f"seed-0/{arm}.json").read_text())
        run["batches_sha256"] += arm
        (folder / f"{arm}.json").write_text(json.dumps(run))
    with pytest.raises(TrainError, match="batches_sha256 is not that of info_nce"):
        read_results(tmp_path, ordered(["info_nce", "dphr"]), 1)


def test_the_report_holds_every_arm_with_figures_and_pictures(done: Path) -> None:
    report = (done / "report.md").read_text()
    assert "n = 2 seeds" in report
    assert "| DPHR in place of InfoNCE: dphr - info_nce |" in report
    shares = json.loads((done / "report.json").read_text())[HELD_OUT]["dphr"]["drone -> tile ap"]
    values = [run["scores"][HELD_OUT]["drone -> tile"]["ap"] for n, run in _results(done).items() if "dphr.json" in n]
    assert shares["values"] == values
    assert shares["mean"] == pytest.approx(sum(values) / 2)
    for name in ("differences-0.png", "lambda.png"):
        assert (done / name).read_bytes().startswith(b"\x89PNG")


def test_paired_differences_are_those_worked_out_by_hand() -> None:
    # 0.1, 0.0 and 0.2: mean 0.1, sample sd 0.1, standard error 0.1 / sqrt(3), and t = 4.303 for two degrees of freedom.
    found = paired([0.5, 0.6, 0.7], [0.4, 0.6, 0.5])
    assert found[:4] == pytest.approx((0.1, 0.057735, 0.1 - 0.248434, 0.1 + 0.248434), abs=1e-5)
    assert found[4:] == (2, 0, 3)
    assert np.isnan(paired([0.5], [0.4]).standard_error)
    assert spread([0.4, 0.6]) == pytest.approx((0.5, 0.141421, 2), abs=1e-5)


def test_the_table_of_differences_shows_them_in_points() -> None:
    def runs(*r1: float) -> dict[int, dict[str, Any]]:
        ways = {way: {"r1": 0.5, "r5": 0.5, "ap": 0.5} for way in ("drone -> tile", "tile -> drone")}
        made = {seed: {"scores": {"set": json.loads(json.dumps(ways))}} for seed in range(len(r1))}
        for seed, value in enumerate(r1):
            made[seed]["scores"]["set"]["drone -> tile"]["r1"] = value
            made[seed] |= {"lr": 1e-3, "lambda_t": [0.0]}
        return made

    # The third seed of dphr has no partner yet: means take it, differences do not.
    results = Results({"info_nce": runs(0.50, 0.60), "dphr": runs(0.53, 0.61, 0.1)})
    text = markdown(results, StudySpec(TrainSpec(data=("world:1",))), "info_nce")
    assert "| dphr | +2.0 ± 1.0 [-10.7, +14.7] 2:0 |" in text
    assert "| info_nce | 55.0 ± 7.1 |" in text
    assert "n = 2 to 3 seeds (unfinished)" in text


def test_quantiles_hold_95_percent_of_students_t() -> None:
    for freedom, quantile in enumerate(_T95, 1):
        t = np.linspace(-quantile, quantile, 20_001)
        density = (1 + t**2 / freedom) ** (-(freedom + 1) / 2)
        half = np.arctan(np.linspace(0, 1e4, 2)[1])  # the tails: substitute t = tan(u)
        u = np.linspace(-half, half, 200_001)
        whole = (1 + np.tan(u) ** 2 / freedom) ** (-(freedom + 1) / 2) / np.cos(u) ** 2
        inside = _area(density, t) / _area(whole, u)
        assert inside == pytest.approx(0.95, abs=2e-4), freedom


def _area(y: np.ndarray, x: np.ndarray) -> float:
    return float(((y[1:] + y[:-1]) * np.diff(x)).sum() / 2)


def test_a_learning_rate_is_chosen_on_places_that_are_never_scored(study_spec: StudySpec, tmp_path: Path) -> None:
    spec = replace(study_spec, rates=(1e-9, 1e-2))
    scored, tuned = open_grounds(spec.base, (), 1), open_tuning_grounds(spec.base, 1)

    def names(sources: Any) -> set[str]:
        return {place for source in sources for place in source.places}

    (held,), (chosen,) = scored.tests[HELD_OUT], tuned.tests[TUNING]
    trained_on, chosen_by = names(tuned.sources), names(s for s, _ in chosen._scenes)
    assert not chosen_by & names(s for s, _ in held._scenes)
    assert len(trained_on) + len(chosen) == len(names(scored.sources))
    arms = ordered(["untrained", "info_nce"])
    study = Study(spec, tmp_path)
    for rate, ap in ((1e-9, 0.2), (1e-2, 0.4)):
        path = Job(ARMS["info_nce"], rate, tmp_path / "tuning" / f"{rate:g}").path
        path.parent.mkdir(parents=True)
        ways = {way: {"ap": ap} for way in ("drone -> tile", "tile -> drone")}
        path.write_text(json.dumps({"scores": {TUNING: ways}}))
    assert study.tune(arms, lambda: tuned)["info_nce"] == 1e-2


def test_a_test_set_that_is_trained_on_is_refused(study_spec: StudySpec) -> None:
    with pytest.raises(DataError, match="21 of its places are trained on"):
        open_grounds(study_spec.base, study_spec.base.data, 1)


def test_arms_run_before_those_that_need_their_lambda() -> None:
    assert [arm.name for arm in ordered(["info_nce+triplet"])] == ["info_nce+dphr", "info_nce+triplet"]
    with pytest.raises(SettingsError, match="--arms loss"):
        ordered(["loss"])
