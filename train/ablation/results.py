"""All results of an ablation, read back and checked against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import TrainError
from train.ablation.arms import Arm
from train.ablation.statistics import Paired, Spread, paired, spread
from train.ablation.study import read_result


@dataclass(frozen=True)
class Results:
    """Every run's JSON by arm and seed."""

    runs: Mapping[str, Mapping[int, Mapping[str, Any]]]

    @property
    def sets(self) -> list[str]:
        """Names of what was scored."""
        return list(next(iter(next(iter(self.runs.values())).values()))["scores"])

    def common_seeds(self, *arms: str) -> list[int]:
        """Those that all of these arms have run."""
        return sorted(set.intersection(*(set(self.runs[arm]) for arm in arms)))

    def values(self, arm: str, over: str, way: str, metric: str, seeds: Sequence[int] | None = None) -> list[float]:
        """One share a seed."""
        seeds = self.common_seeds(arm) if seeds is None else seeds
        return [float(self.runs[arm][seed]["scores"][over][way][metric]) for seed in seeds]

    def spread(self, arm: str, over: str, way: str, metric: str) -> Spread:
        """Of an arm over its seeds."""
        return spread(self.values(arm, over, way, metric))

    def paired(self, arm: str, against: str, over: str, way: str, metric: str) -> Paired:
        """Of the seeds that both arms have."""
        seeds = self.common_seeds(arm, against)
        return paired(*(self.values(name, over, way, metric, seeds) for name in (arm, against)))


def read_results(out: Path, arms: Sequence[Arm], seeds: int) -> Results:
    """All that is there; raises TrainError where arms of a seed did not start alike or did not see the same batches."""
    runs: dict[str, dict[int, Mapping[str, Any]]] = {}
    for seed in range(seeds):
        first: Mapping[str, Any] | None = None
        for arm in arms:
            path = out / f"seed-{seed}" / f"{arm.name}.json"
            if not path.is_file():
                continue
            run = read_result(path)
            first = first or run
            for key in ("batches_sha256", "weights_sha256"):
                if run[key] != first[key]:
                    raise TrainError(
                        f"{path}: {key} is not that of {first['arm']}; remove {path.parent} and give the command again"
                    )
            runs.setdefault(arm.name, {})[seed] = run
    if not runs:
        raise TrainError(f"{out} holds no results of these arms")
    return Results(runs)
