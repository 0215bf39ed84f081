"""The record of one run, and all records of an ablation, read back and checked against each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from runtime.errors import TrainError
from runtime.files import write_text_whole
from train.ablation.arms import Arm
from train.ablation.statistics import PairedDifference, Spread, paired_difference, spread

FORMAT = 1

ScoredDirection: TypeAlias = Literal["drone -> tile", "tile -> drone"]
"""Which view asks, and which answers."""

Metric: TypeAlias = Literal["r1", "r5", "ap"]
"""Recall among the first one and five answers, and average precision; shares in 0..1."""

DIRECTIONS: tuple[ScoredDirection, ...] = get_args(ScoredDirection)
METRICS: tuple[Metric, ...] = get_args(Metric)


class Column(NamedTuple):
    """One score of a set: a direction and a metric."""

    direction: ScoredDirection
    metric: Metric

    @property
    def key(self) -> str:
        """The column's name in JSON."""
        return f"{self.direction} {self.metric}"


SetScores: TypeAlias = Mapping[ScoredDirection, Mapping[Metric, float]]
"""The scores of one set in both directions."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """One arm's run on one seed: what it started from, what it saw, and how it scored."""

    arm: str
    seed: int
    lr: float
    batches_sha256: str
    weights_sha256: str  # before the first step
    scores: Mapping[str, SetScores]  # by the name of the set
    lambda_t: Sequence[float]  # of each step
    loss: Sequence[float]  # of each step
    elapsed_s: float

    def mean_ap(self, scored: str) -> float:
        """Return the mean average precision of both directions on a set."""
        both = [self.scores[scored][direction]["ap"] for direction in DIRECTIONS]
        return sum(both) / len(both)


def write_result(path: Path, result: RunResult) -> None:
    """Write a run's record, whole or not at all."""
    write_text_whole(path, json.dumps({"format": FORMAT, **asdict(result)}) + "\n")


def read_result(path: Path) -> RunResult:
    """Read a run's record; raises TrainError."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return RunResult(**{name: value for name, value in values.items() if name != "format"})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise TrainError(f"{path} is no result of an ablation ({error}); remove it and run the same command") from None


@dataclass(frozen=True, slots=True)
class Results:
    """Every run's record by arm and seed."""

    runs: Mapping[str, Mapping[int, RunResult]]

    @property
    def sets(self) -> list[str]:
        """Names of what was scored."""
        return list(next(iter(next(iter(self.runs.values())).values())).scores)

    def common_seeds(self, *arms: str) -> list[int]:
        """Return the seeds that all of these arms have run."""
        return sorted(set.intersection(*(set(self.runs[arm]) for arm in arms)))

    def values(self, arm: str, scored: str, column: Column, seeds: Sequence[int] | None = None) -> list[float]:
        """Return one share a seed, of all seeds that the arm has run if none are given."""
        seeds = self.common_seeds(arm) if seeds is None else seeds
        return [float(self.runs[arm][seed].scores[scored][column.direction][column.metric]) for seed in seeds]

    def spread(self, arm: str, scored: str, column: Column) -> Spread:
        """Return an arm's mean and deviation over its seeds."""
        return spread(self.values(arm, scored, column))

    def paired(self, arm: str, against: str, scored: str, column: Column) -> PairedDifference:
        """Return an arm less another, over the seeds that both have."""
        seeds = self.common_seeds(arm, against)
        return paired_difference(*(self.values(name, scored, column, seeds) for name in (arm, against)))


def read_results(out: Path, arms: Sequence[Arm], seeds: int) -> Results:
    """Read all that is there; raises TrainError where arms of a seed started or saw other than one another."""
    runs: dict[str, dict[int, RunResult]] = {}
    for seed in range(seeds):
        first: RunResult | None = None
        for arm in arms:
            path = out / f"seed-{seed}" / f"{arm.name}.json"
            if not path.is_file():
                continue
            run = read_result(path)
            first = first or run
            _check_alike(path, run, first)
            runs.setdefault(arm.name, {})[seed] = run
    if not runs:
        raise TrainError(f"{out} holds no results of these arms")
    return Results(runs)


def _check_alike(path: Path, run: RunResult, first: RunResult) -> None:
    """Raise TrainError where a run saw other batches, or started from other weights, than the seed's first."""
    alike = {
        "batches_sha256": run.batches_sha256 == first.batches_sha256,
        "weights_sha256": run.weights_sha256 == first.weights_sha256,
    }
    for name, same in alike.items():
        if not same:
            raise TrainError(
                f"{path}: {name} is not that of {first.arm}; remove {path.parent} and give the command again"
            )
