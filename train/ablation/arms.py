"""The arms of the ablation, and the questions that pairs of them answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from runtime.errors import SettingsError
from train.choices import Host
from train.losses.dphr import DphrSpec
from train.spec import TrainSpec


@dataclass(frozen=True)
class Arm:
    """One loss under test; all else is equal."""

    name: str
    formula: str
    host: Host = "none"
    dphr: Mapping[str, Any] | None = field(default_factory=dict)  # changes to the run's DPHR constants; None: no DPHR
    mean_lambda_of: str = ""  # lambda is fixed at its mean over that arm's run of the same seed
    trained: bool = True

    def train_spec(self, base: TrainSpec, *, seed: int, lr: float, mean_lambda: float | None) -> TrainSpec:
        """The run's spec; ``mean_lambda`` is needed where :attr:`mean_lambda_of` is set."""
        changes = dict(self.dphr or {})
        if self.mean_lambda_of:
            if mean_lambda is None:
                raise SettingsError(f"arm {self.name} needs a run of {self.mean_lambda_of} first")
            changes["fixed_lambda"] = mean_lambda
        dphr = None if self.dphr is None else replace(base.dphr or DphrSpec(), **changes)
        return replace(base, host=self.host, dphr=dphr, seed=seed, lr=lr)


class Contrast(NamedTuple):
    """What the difference of two arms tells."""

    question: str
    arm: str
    against: str


_PLAIN = {"rda": False, "palw": False}
_ARMS = (
    Arm("untrained", "the start: the given backbone, a random head", "info_nce", None, trained=False),
    Arm("info_nce", "InfoNCE", "info_nce", None),
    Arm("triplet", "L_tri", dphr={**_PLAIN, "fixed_lambda": 0.0}),  # the same code and margin as DPHR's L_tri
    Arm("rda", "L_tri + 1 L_wtri", dphr={"palw": False, "fixed_lambda": 1.0}),
    Arm("palw", "L_tri + lambda_t L_tri", dphr={"rda": False}),
    Arm("dphr", "L_tri + lambda_t L_wtri"),
    Arm("dphr_fixed", "L_tri + mean(lambda_t) L_wtri", dphr={"palw": False}, mean_lambda_of="dphr"),
    Arm("info_nce+dphr", "InfoNCE + L_tri + lambda_t L_wtri", "info_nce"),
    Arm("info_nce+triplet", "InfoNCE + (1 + mean(lambda_t)) L_tri", "info_nce", _PLAIN, "info_nce+dphr"),
    Arm("hard_triplet", "batch-hard triplet", "hard_triplet", None),
    Arm("soft_margin", "weighted soft-margin triplet", "soft_margin", None),
    Arm("multi_similarity", "multi-similarity", "multi_similarity", None),
)
_OPTIONAL = ("hard_triplet", "soft_margin", "multi_similarity")
ARMS: Mapping[str, Arm] = {arm.name: arm for arm in _ARMS}
DEFAULT_ARMS = tuple(name for name in ARMS if name not in _OPTIONAL)
CONTRASTS = (
    Contrast("DPHR in place of InfoNCE", "dphr", "info_nce"),
    Contrast("DPHR beside InfoNCE", "info_nce+dphr", "info_nce"),
    Contrast("the same, against a plain triplet of the same weight", "info_nce+dphr", "info_nce+triplet"),
    Contrast("DPHR against its plain triplet", "dphr", "triplet"),
    Contrast("RDA's weights (w_ik against w = 1)", "dphr", "palw"),
    Contrast("PALW's progress (lambda_t against its own mean)", "dphr", "dphr_fixed"),
)


def ordered(names: Sequence[str]) -> list[Arm]:
    """The arms of these names in the order of the table, which runs an arm before those that need its lambda."""
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise SettingsError(f"--arms {unknown[0]}: expected some of {', '.join(ARMS)}")
    needed = {*names, *(ARMS[name].mean_lambda_of for name in names)}
    return [arm for arm in _ARMS if arm.name in needed]
