"""A whole ablation: learning rates, every arm on every seed, and the report of all that is there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import torch

from runtime.errors import SettingsError
from runtime.types import Tick
from train.ablation.arms import ordered
from train.ablation.data import open_places, open_tuning_places
from train.ablation.report import write_report
from train.ablation.results import read_results
from train.ablation.study import ArmRun, Study, StudySpec, claim


@dataclass(frozen=True, slots=True)
class AblationSpec:
    """An ablation: its arms, how many seeds, and the arm that the others are compared with."""

    study: StudySpec
    arms: tuple[str, ...]
    seeds: int = 5
    against: str = "info_nce"

    def __post_init__(self) -> None:
        if not self.seeds >= 1:
            raise SettingsError(f"--seeds {self.seeds}: expected 1 or more")


def run_ablation(spec: AblationSpec, out: Path, tick: Tick) -> list[Path]:
    """Run what has no result yet in ``out``, and report on all of it; returns the report's files.

    Raises SkyfixError. What is done is kept, and the same call goes on.
    """
    arms, base = ordered(spec.arms), spec.study.base
    if base.threads:
        torch.set_num_threads(base.threads)
    cv2.setNumThreads(1)
    claim(out, spec.study)
    study = Study(spec.study, out, tick)
    rates = study.tune(arms, lambda: open_tuning_places(base, spec.study.views))
    # Opened where a run is missing, its views drawn once.
    places = cache(lambda: open_places(base, spec.study.tests, spec.study.views))
    for seed in range(spec.seeds):
        study.run([ArmRun(arm, rates[arm.name], out / f"seed-{seed}") for arm in arms], seed, places)
    return write_report(read_results(out, arms, spec.seeds), spec.study, spec.against, out)
