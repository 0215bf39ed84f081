"""A small ablation that is run once, and results that are made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from train.ablation.__main__ import main
from train.ablation.results import DIRECTIONS, RunResult, SetScores
from train.ablation.study import StudySpec
from train.spec import TrainSpec

SMALL = ["--backbone", "test_efficientnet", "--init", "random", "--dim", "8", "--side", "32", "--batch", "8"]
SMALL += ["--steps", "5", "--lr", "2e-5", "--augment", "0", "--window", "1", "--views", "1", "--workers", "0"]
SMALL += ["--device", "cpu"]
SET = "set"


def command(pictures: Path, out: Path, *more: str, arms: str = "info_nce dphr") -> list[str]:
    """The arguments of a small ablation."""
    return ["--data", f"overhead:{pictures}@0.6", *SMALL, "--arms", *arms.split(), "--out", str(out), *more]


def made_scores(r1: float = 0.5, ap: float = 0.5) -> SetScores:
    """Scores of a set: drone to tile as given, the way back always a half."""
    forth, back = DIRECTIONS
    return {forth: {"r1": r1, "r5": 0.5, "ap": ap}, back: {"r1": 0.5, "r5": 0.5, "ap": 0.5}}


def made_run(arm: str, seed: int, scores: Mapping[str, SetScores], lambdas: Sequence[float] = (0.0,)) -> RunResult:
    """A run's record that no training made."""
    return RunResult(arm, seed, 1e-3, "batches", "weights", scores, list(lambdas), [1.0], 0.1)


def made_runs(arm: str, *r1: float) -> dict[int, RunResult]:
    """One run a seed, with this recall from drone to tile."""
    return {seed: made_run(arm, seed, {SET: made_scores(value)}) for seed, value in enumerate(r1)}


@pytest.fixture(scope="session")
def done(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three arms and two seeds, run by the command; not to be written to."""
    out = tmp_path_factory.mktemp("ablation") / "out"
    assert main(command(pictures, out, "--seeds", "2", arms="info_nce dphr dphr_fixed")) == 0
    return out


@pytest.fixture
def study_spec(tiny: TrainSpec) -> StudySpec:
    """Two steps of the tiny run, one draw of the scored views."""
    return StudySpec(replace(tiny, steps=2), views=1)
