"""The arms of the ablation, and the questions that pairs of them answer; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.errors import SettingsError
from train.choices import Host


@dataclass(frozen=True, slots=True)
class Arm:
    """One loss under test; all else is equal."""

    name: str
    formula: str
    host: Host = "none"  # the loss beside DPHR
    has_dphr: bool = True
    rda: bool = True  # DPHR weighs its triplets
    palw: bool = True  # DPHR's lambda follows the run's progress
    fixed_lambda: float | None = None  # without PALW; None leaves it as the run has it
    mean_lambda_of: str = ""  # lambda is fixed at its mean over that arm's run of the same seed
    trained: bool = True


@dataclass(frozen=True, slots=True)
class Contrast:
    """A question that the difference of two arms answers."""

    question: str
    arm: str
    against: str


_ARMS = (
    Arm("untrained", "the start: the given backbone, a random head", "info_nce", has_dphr=False, trained=False),
    Arm("info_nce", "InfoNCE", "info_nce", has_dphr=False),
    # The same code and margin as DPHR's L_tri.
    Arm("triplet", "L_tri", rda=False, palw=False, fixed_lambda=0.0),
    Arm("rda", "L_tri + 1 L_wtri", palw=False, fixed_lambda=1.0),
    Arm("palw", "L_tri + lambda_t L_tri", rda=False),
    Arm("dphr", "L_tri + lambda_t L_wtri"),
    Arm("dphr_fixed", "L_tri + mean(lambda_t) L_wtri", palw=False, mean_lambda_of="dphr"),
    Arm("info_nce+dphr", "InfoNCE + L_tri + lambda_t L_wtri", "info_nce"),
    Arm(
        "info_nce+triplet",
        "InfoNCE + (1 + mean(lambda_t)) L_tri",
        "info_nce",
        rda=False,
        palw=False,
        mean_lambda_of="info_nce+dphr",
    ),
    Arm("hard_triplet", "batch-hard triplet", "hard_triplet", has_dphr=False),
    Arm("soft_margin", "weighted soft-margin triplet", "soft_margin", has_dphr=False),
    Arm("multi_similarity", "multi-similarity", "multi_similarity", has_dphr=False),
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
    """Return the arms of these names in the table's order: an arm runs before those that need its lambda.

    An arm whose lambda is needed comes with them. Raises SettingsError for a name that is none.
    """
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise SettingsError(f"--arms {unknown[0]}: expected some of {', '.join(ARMS)}")
    needed = {*names, *(ARMS[name].mean_lambda_of for name in names)}
    return [arm for arm in _ARMS if arm.name in needed]
