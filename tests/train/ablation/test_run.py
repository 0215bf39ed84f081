"""An ablation is fair (same start, same batches), goes on where it stopped, and mixes nothing that differs."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import SettingsError
from tests.train.ablation.conftest import command
from train.ablation.__main__ import main
from train.ablation.results import RunResult, read_result
from train.ablation.run import AblationSpec
from train.ablation.study import StudySpec


def results(out: Path) -> dict[str, RunResult]:
    return {str(p.relative_to(out)): read_result(p) for p in sorted(out.glob("seed-*/*.json"))}


class Interrupt(logging.Handler):
    """Somebody who presses Ctrl-C when a certain line is logged."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def emit(self, record: logging.LogRecord) -> None:
        if self._part in record.getMessage():
            raise KeyboardInterrupt


def test_arms_of_a_seed_start_alike_and_see_the_same_batches_and_seeds_do_not(done: Path) -> None:
    runs = list(results(done).values())
    assert len(runs) == 6
    for hashes in ([(r.seed, r.batches_sha256) for r in runs], [(r.seed, r.weights_sha256) for r in runs]):
        of_seeds = [{value for number, value in hashes if number == seed} for seed in (0, 1)]
        assert [len(values) for values in of_seeds] == [1, 1], "all arms of a seed have the same"
        assert of_seeds[0] != of_seeds[1]
    losses = {tuple(run.loss) for run in runs if run.seed == 0}
    assert len(losses) == 3, "arms differ in their loss"
    assert not (done / "batches").exists()


def test_a_fixed_lambda_is_the_mean_of_the_full_arm_of_the_same_seed(done: Path) -> None:
    runs, varied = results(done), []
    for seed in (0, 1):
        full, fixed = (runs[f"seed-{seed}/{arm}.json"].lambda_t for arm in ("dphr", "dphr_fixed"))
        varied.append(len(set(full)) > 1)
        np.testing.assert_allclose(fixed, np.mean(full))
    assert any(varied), "a lambda that stays 0 tests nothing"


def test_an_interrupted_ablation_goes_on_and_ends_as_if_it_was_not(
    done: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = command(pictures, out, "--seeds", "1", arms="info_nce dphr dphr_fixed")
    study, someone = logging.getLogger("train.ablation.study"), Interrupt("dphr at")
    study.addHandler(someone)
    try:
        assert main(arguments) == 130
    finally:
        study.removeHandler(someone)
    assert "the same command goes on" in capsys.readouterr().err
    assert list(results(out)) == ["seed-0/dphr.json", "seed-0/info_nce.json"]
    assert not (out / "batches").exists()
    assert main(arguments) == 0
    assert "info_nce at" not in capsys.readouterr().err, "what was done is not done again"
    whole = results(done)
    assert len(results(out)) == 3
    for name, run in results(out).items():
        assert {**json.loads((out / name).read_text()), "elapsed_s": 0} == {
            **json.loads((done / name).read_text()),
            "elapsed_s": 0,
        }
        assert run.scores == whole[name].scores


def test_more_seeds_are_added_to_those_that_are_there(
    done: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for seeds, new in (("1", "seed 0"), ("2", "seed 1")):
        assert main(command(pictures, out, "--seeds", seeds, arms="info_nce")) == 0
        lines = [line for line in capsys.readouterr().err.splitlines() if " at lr " in line]
        assert [" ".join(line.split(" at lr ")[0].split()) for line in lines] == [f"train.ablation: {new} info_nce"]
    same = [(out / f"seed-{k}/info_nce.json", done / f"seed-{k}/info_nce.json") for k in (0, 1)]
    assert all(read_result(a).scores == read_result(b).scores for a, b in same)


def test_the_command_prints_the_reports_files_and_nothing_else(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command(pictures, out, "--seeds", "1", arms="untrained")) == 0
    names = ["report.md", "report.json", "differences-0.png", "lambda.png"]
    assert capsys.readouterr().out.split() == [str(out / name) for name in names]
    assert all((out / name).is_file() for name in names)


def test_other_settings_do_not_mix_with_results_that_are_there(
    done: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(pictures, done, "--seeds", "2", "--beta", "0.5")) == 1
    assert "another dphr; give another --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seeds", "0"], "--seeds 0: expected 1 or more"),
        (["--views", "0"], "--views 0"),
        (["--arms", "loss"], "--arms loss: expected some of untrained, info_nce"),
        (["--lr", "-1"], "positive rates"),
    ],
)
def test_wrong_settings_are_told_in_one_line_and_nothing_is_written(
    flags: list[str], message: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(pictures, tmp_path / "out"), *flags]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_spec_wants_at_least_one_seed(study_spec: StudySpec) -> None:
    with pytest.raises(SettingsError, match="--seeds 0"):
        AblationSpec(study_spec, ("dphr",), seeds=0)
