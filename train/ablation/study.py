"""Train every arm on the same batches from the same weights, and keep each result as one JSON file."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from runtime.errors import SettingsError, TrainError
from runtime.files import write_text_whole
from runtime.types import Tick
from train.ablation.arms import ARMS, Arm
from train.ablation.data import TUNING, StudyPlaces
from train.ablation.results import DIRECTIONS, FORMAT, METRICS, RunResult, SetScores, read_result, write_result
from train.ablation.stored_batches import StoredBatches, store_batches
from train.data.dataset import PairDataset
from train.fit.batches import load_batches, steps_on
from train.fit.run_state import Run
from train.fit.sampler import PlaceSampler
from train.losses.dphr import DphrSpec
from train.scoring.embed import embed_with, score_views
from train.scoring.ranking import Scores
from train.spec import TrainSpec

logger = logging.getLogger(__name__)

SPEC = "spec.json"
TUNE_SEED = 1_000_003  # no seed that is scored
_BATCHES = "batches"


@dataclass(frozen=True, slots=True)
class StudySpec:
    """What all arms and seeds share."""

    base: TrainSpec
    tests: tuple[str, ...] = ()  # KIND:PATH[@GSD_M], scored whole
    views: int = 3  # of each held-out place; their scores are averaged
    rates: tuple[float, ...] = (5e-4,)  # more than one: chosen for each arm, on places and a seed that are not scored

    def __post_init__(self) -> None:
        if not (self.views >= 1 and self.rates and all(rate > 0 for rate in self.rates)):
            raise SettingsError(f"--views {self.views} and --lr {self.rates}: expected 1 or more, and positive rates")

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON gives them back."""
        plain: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **asdict(self)}))
        return plain


@dataclass(frozen=True, slots=True)
class ArmRun:
    """One run of one arm; its result lies in ``folder``."""

    arm: Arm
    lr: float
    folder: Path

    @property
    def path(self) -> Path:
        """The file of its result."""
        return self.folder / f"{self.arm.name}.json"


def claim(out: Path, spec: StudySpec) -> None:
    """Write the spec into ``out``, or make sure that what lies there is of this spec; raises SettingsError."""
    path, wanted = out / SPEC, spec.to_json()
    if path.is_file():
        present = _deciding(json.loads(path.read_text(encoding="utf-8")))
        differs = [key for key, value in _deciding(wanted).items() if present.get(key) != value]
        if differs:
            raise SettingsError(f"{out} holds an ablation with another {', '.join(differs)}; give another --out")
    write_text_whole(path, json.dumps(wanted, indent=2) + "\n")


def _deciding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the results; how many processes and threads worked on it does not."""
    flat = {**spec["base"], **spec}
    return {key: value for key, value in flat.items() if key not in ("base", "workers", "threads")}


def arm_spec(arm: Arm, base: TrainSpec, *, seed: int, lr: float, mean_lambda: float | None) -> TrainSpec:
    """Return the spec of an arm's run; raises SettingsError where ``mean_lambda`` is needed and missing."""
    fixed_lambda = arm.fixed_lambda
    if arm.mean_lambda_of:
        if mean_lambda is None:
            raise SettingsError(f"arm {arm.name} needs a run of {arm.mean_lambda_of} first")
        fixed_lambda = mean_lambda
    if not arm.has_dphr:
        return replace(base, host=arm.host, dphr=None, seed=seed, lr=lr)
    dphr = base.dphr or DphrSpec()
    dphr = replace(dphr, rda=dphr.rda and arm.rda, palw=dphr.palw and arm.palw)
    if fixed_lambda is not None:
        dphr = replace(dphr, fixed_lambda=fixed_lambda)
    return replace(base, host=arm.host, dphr=dphr, seed=seed, lr=lr)


def replayed_batches(
    spec: TrainSpec, data: PairDataset, seed: int, folder: Path, tick: Tick
) -> AbstractContextManager[StoredBatches]:
    """Render the batches of a seed once, into ``folder``, in the order in which the trainer would draw them."""
    sampler = PlaceSampler(data.places, spec.batch, seed=seed, weights=data.weights)
    scenes = list(islice(sampler, spec.steps))  # so that the loader ends, and its processes with it
    return store_batches(load_batches(spec, data, batch_sampler=scenes), spec.steps, folder, tick)


@dataclass(frozen=True, slots=True)
class Study:
    """A study in its folder; ``tick`` hears of batches rendered and steps taken."""

    spec: StudySpec
    out: Path
    tick: Tick = lambda done, total: None

    def run(self, runs: Sequence[ArmRun], seed: int, places: Callable[[], StudyPlaces]) -> None:
        """Run what has no result yet of a seed; raises SkyfixError."""
        missing = [run for run in runs if not run.path.is_file()]
        if not missing:
            return
        data = places()
        with replayed_batches(self.spec.base, data.train(seed), seed, self.out / _BATCHES, self.tick) as batches:
            for run in missing:
                try:
                    result = self._train_and_score(run, seed, batches, data.tests)
                except TrainError as error:
                    raise TrainError(f"arm {run.arm.name}, lr {run.lr:g}, seed {seed}: {error}") from error
                write_result(run.path, result)
                logger.info("seed %d  %s", seed, _describe(result))

    def tune(self, arms: Sequence[Arm], places: Callable[[], StudyPlaces]) -> dict[str, float]:
        """Choose the learning rate of each arm: the best by mean AP of both directions on the tuning places."""
        rates = dict.fromkeys((arm.name for arm in arms), self.spec.rates[0])
        if len(self.spec.rates) == 1:
            return rates
        trained = [arm for arm in arms if arm.trained]
        runs = [ArmRun(arm, lr, self.out / "tuning" / f"{lr:g}") for arm in trained for lr in self.spec.rates]
        self.run(runs, TUNE_SEED, places)
        for arm in trained:
            best = max((run for run in runs if run.arm is arm), key=lambda run: read_result(run.path).mean_ap(TUNING))
            rates[arm.name] = best.lr
            edge = best.lr in (min(self.spec.rates), max(self.spec.rates))
            hint = " (at the edge of what was tried)" if edge else ""
            logger.info("lr of %s: %g%s", arm.name, best.lr, hint)
        return rates

    def _train_and_score(
        self, arm_run: ArmRun, seed: int, batches: StoredBatches, tests: Mapping[str, Sequence[PairDataset]]
    ) -> RunResult:
        """Train one arm to the last step and score that encoder: nothing is chosen by its scores."""
        started = time.monotonic()
        arm = arm_run.arm
        spec = arm_spec(arm, self.spec.base, seed=seed, lr=arm_run.lr, mean_lambda=_mean_lambda(arm_run))
        run = Run(spec, self.out)
        start = _sha256(run.encoder)
        steps = []
        for step in steps_on(run, batches) if arm.trained else ():  # the trainer's own steps and schedule
            steps.append(step)
            self.tick(run.step, len(batches))
        embed = embed_with(run.scored)
        scores = {name: _mean_scores([score_views(embed, views) for views in draws]) for name, draws in tests.items()}
        return RunResult(
            arm=arm.name,
            seed=seed,
            lr=arm_run.lr,
            batches_sha256=batches.sha256,
            weights_sha256=start,
            scores=scores,
            lambda_t=[step.lambda_t for step in steps],
            loss=[step.loss for step in steps],
            elapsed_s=round(time.monotonic() - started, 1),
        )


def _describe(result: RunResult) -> str:
    """Return a line about a run: its arm and its scores on the first set."""
    first = next(iter(result.scores.values()))
    scores = ", ".join(f"{way} R@1 {first[way]['r1']:.1%} AP {first[way]['ap']:.1%}" for way in DIRECTIONS)
    return f"{result.arm:>16} at lr {result.lr:g}: {scores}  ({result.elapsed_s:.0f} s)"


def _mean_lambda(run: ArmRun) -> float | None:
    """Return the mean lambda of the run that this one takes its lambda from; None where it takes none."""
    if not run.arm.mean_lambda_of:
        return None
    source = read_result(replace(run, arm=ARMS[run.arm.mean_lambda_of]).path)
    return float(np.mean(source.lambda_t))


def _mean_scores(draws: Sequence[tuple[Scores, Scores]]) -> SetScores:
    """Return the scores of both directions, averaged over draws of the views."""
    both = zip(*draws, strict=True)
    return {
        direction: {metric: float(np.mean([getattr(s, metric) for s in scores])) for metric in METRICS}
        for direction, scores in zip(DIRECTIONS, both, strict=True)
    }


def _sha256(module: nn.Module) -> str:
    """Hash all weights of a module."""
    digest = hashlib.sha256()
    for value in module.state_dict().values():
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
