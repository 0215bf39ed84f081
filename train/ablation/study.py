"""Train every arm on the same batches from the same weights, and keep each result as one JSON file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from runtime.errors import SettingsError, TrainError
from runtime.files import write_text_whole
from runtime.types import Say, Tick
from train.ablation.arms import ARMS, Arm
from train.ablation.data import Grounds
from train.ablation.replay import StoredBatches, stored
from train.data.dataset import PairDataset
from train.fit.batches import load_batches, steps_on
from train.fit.run_state import Run
from train.fit.sampler import PlaceSampler
from train.scoring.embed import embed_with, score_views
from train.spec import TrainSpec

FORMAT, SPEC = 1, "spec.json"
TUNE_SEED = 1_000_003  # no seed that is scored
METRICS = ("r1", "r5", "ap")
DIRECTIONS = ("drone -> tile", "tile -> drone")
_BATCHES = "batches"


@dataclass(frozen=True)
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
        """Plain values, as JSON gives them back."""
        plain: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **asdict(self)}))
        return plain


class Job(NamedTuple):
    """One run of one arm; its result lies in ``folder``."""

    arm: Arm
    lr: float
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / f"{self.arm.name}.json"


def claim(out: Path, spec: StudySpec) -> None:
    """Write the spec into ``out``, or make sure that what lies there is of this spec; raises SettingsError."""
    path, wanted = out / SPEC, spec.to_json()
    if path.is_file():
        found = _deciding(json.loads(path.read_text(encoding="utf-8")))
        differs = [key for key, value in _deciding(wanted).items() if found.get(key) != value]
        if differs:
            raise SettingsError(f"{out} holds an ablation with another {', '.join(differs)}; give another --out")
    write_text_whole(path, json.dumps(wanted, indent=2) + "\n")


def _deciding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the results; how many processes and threads worked on it does not."""
    flat = {**spec["base"], **spec}
    return {key: value for key, value in flat.items() if key not in ("base", "workers", "threads")}


@dataclass(frozen=True)
class Study:
    """A study in its folder; who wants to hear of it gives ``say`` and ``tick``."""

    spec: StudySpec
    out: Path
    say: Say = lambda text: None
    tick: Tick = lambda done, total: None

    def run(self, jobs: Sequence[Job], seed: int, grounds: Callable[[], Grounds]) -> None:
        """Run those jobs of a seed that have no result yet; raises SkyfixError."""
        missing = [job for job in jobs if not job.path.is_file()]
        if not missing:
            return
        data = grounds()
        with self._replayed(data.train(seed), seed) as batches:
            for job in missing:
                try:
                    result = self._result(job, seed, batches, data.tests)
                except TrainError as error:
                    raise TrainError(f"arm {job.arm.name}, lr {job.lr:g}, seed {seed}: {error}") from error
                write_text_whole(job.path, json.dumps(result) + "\n")
                self.say(f"seed {seed}  {_told(result)}")

    def tune(self, arms: Sequence[Arm], grounds: Callable[[], Grounds]) -> dict[str, float]:
        """The learning rate of each arm: the best by mean AP of both directions on the tuning grounds."""
        rates = dict.fromkeys((arm.name for arm in arms), self.spec.rates[0])
        if len(self.spec.rates) == 1:
            return rates
        trained = [arm for arm in arms if arm.trained]
        jobs = [Job(arm, lr, self.out / "tuning" / f"{lr:g}") for arm in trained for lr in self.spec.rates]
        self.run(jobs, TUNE_SEED, grounds)
        for arm in trained:
            best = max((job for job in jobs if job.arm is arm), key=lambda job: _mean_ap(read_result(job.path)))
            rates[arm.name] = best.lr
            edge = best.lr in (min(self.spec.rates), max(self.spec.rates))
            self.say(f"lr of {arm.name}: {best.lr:g}{' (at the edge of what was tried)' if edge else ''}")
        return rates

    def _result(
        self, job: Job, seed: int, batches: StoredBatches, tests: Mapping[str, Sequence[PairDataset]]
    ) -> dict[str, Any]:
        """Train one arm to the last step and score that encoder: nothing is chosen by its scores."""
        started = time.monotonic()
        spec = job.arm.train_spec(self.spec.base, seed=seed, lr=job.lr, mean_lambda=_mean_lambda(job))
        run = Run(spec, self.out)
        start = _sha256(run.encoder)
        steps = []
        for step in steps_on(run, batches) if job.arm.trained else ():  # the trainer's own steps and schedule
            steps.append(step)
            self.tick(run.step, len(batches))
        embed = embed_with(run.scored)
        scores = {name: _mean_scores([score_views(embed, views) for views in sets]) for name, sets in tests.items()}
        return {
            "format": FORMAT,
            "arm": job.arm.name,
            "seed": seed,
            "lr": job.lr,
            "batches_sha256": batches.sha256,
            "weights_sha256": start,
            "scores": scores,
            "lambda_t": [step.lambda_t for step in steps],
            "loss": [step.loss for step in steps],
            "elapsed_s": round(time.monotonic() - started, 1),
        }

    @contextmanager
    def _replayed(self, data: PairDataset, seed: int) -> Iterator[StoredBatches]:
        """The batches of a seed, rendered once."""
        base = self.spec.base
        sampler = PlaceSampler(data.places, base.batch, seed=seed, weights=data.weights)
        asked = list(islice(sampler, base.steps))  # so that the loader ends, and its processes with it
        with stored(
            load_batches(base, data, batch_sampler=asked), base.steps, self.out / _BATCHES, self.tick
        ) as batches:
            yield batches


def _told(result: Mapping[str, Any]) -> str:
    first = next(iter(result["scores"].values()))
    scores = ", ".join(f"{way} R@1 {first[way]['r1']:.1%} AP {first[way]['ap']:.1%}" for way in DIRECTIONS)
    return f"{result['arm']:>16} at lr {result['lr']:g}: {scores}  ({result['elapsed_s']:.0f} s)"


def _mean_ap(result: Mapping[str, Any]) -> float:
    (scores,) = result["scores"].values()
    return float(np.mean([scores[way]["ap"] for way in DIRECTIONS]))


def _mean_lambda(job: Job) -> float | None:
    """Of the run that this one takes its lambda from."""
    if not job.arm.mean_lambda_of:
        return None
    source = read_result(job._replace(arm=ARMS[job.arm.mean_lambda_of]).path)
    return float(np.mean(source["lambda_t"]))


def read_result(path: Path) -> dict[str, Any]:
    """One run's result; raises TrainError."""
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainError(f"{path} is no result of an ablation ({error}); remove it and run the same command") from None
    return result


def _mean_scores(views: Sequence[Sequence[Any]]) -> dict[str, dict[str, float]]:
    """Scores of both directions, averaged over views."""
    both = zip(*views, strict=True)
    return {
        way: {metric: float(np.mean([getattr(s, metric) for s in scores])) for metric in METRICS}
        for way, scores in zip(DIRECTIONS, both, strict=True)
    }


def _sha256(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for value in module.state_dict().values():
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
