"""DPHR, reconstructed: ``L_tri + lambda_t L_wtri`` (arXiv 2510.27181); no public code exists.

RDA weighs each triplet by how hard its negative is; PALW (palw.py) lets the weighted loss in as training matures. From
the paper: both losses and their sum, the hardness ``d_p / (d_p + d_n)`` mapped linearly into an interval of weights, a
lambda that follows, smoothed, a moving average of unweighted losses. Chosen here: every constant, the Euclidean
distance, both directions, the mean over all triplets, detached weights, and the fall of the loss as PALW's signal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from runtime.errors import SettingsError
from train.choices import DISTANCES, Distance
from train.losses.distances import both_directions, negatives, triplet_shares
from train.losses.triplet import triplet_gaps


@dataclass(frozen=True, slots=True)
class DphrSpec:
    """The constants of DPHR; "paper": its formula has it, "chosen": it does not say, or could not be had."""

    distance: Distance = "euclidean"  # chosen; "cosine" is 1 - cos
    margin: float = 0.3  # chosen, m of the hinge
    rda: bool = True  # paper; off, every weight is 1
    w_min: float = 0.5  # paper that weights lie in an interval, chosen where it begins: the weight of an easy negative
    w_max: float = 1.5  # chosen where it ends; with 0.5 a negative as far as the positive weighs 1
    palw: bool = True  # paper; off, lambda is fixed_lambda
    window: int = 64  # paper that the loss is a moving average, chosen its length in steps
    alpha_max: float = 1.0  # chosen: lambda if the loss fell to nothing
    beta: float = 0.9  # paper that lambda is smoothed, chosen how much; 0.99 for long runs
    fixed_lambda: float = 1.0  # chosen, for the ablation

    def __post_init__(self) -> None:
        low, high = self.w_min, self.w_max
        checks: dict[str, bool] = {
            f"--distance {self.distance}: expected one of {', '.join(DISTANCES)}": self.distance in DISTANCES,
            f"--margin {self.margin}: expected 0 or more": 0 <= self.margin < math.inf,
            f"--w-min {low} --w-max {high}: expected 0 <= w_min <= w_max": 0 <= low <= high < math.inf,
            f"--window {self.window}: expected 1 step or more": self.window >= 1,
            f"--alpha-max {self.alpha_max}: expected 0 or more": 0 <= self.alpha_max < math.inf,
            f"--beta {self.beta}: expected 0 to below 1": 0 <= self.beta < 1,
            f"--fixed-lambda {self.fixed_lambda}: expected 0 or more": 0 <= self.fixed_lambda < math.inf,
        }
        for message, holds in checks.items():
            if not holds:
                raise SettingsError(message)


class TripletTerms(NamedTuple):
    """The unweighted and the weighted triplet loss, which DPHR adds up."""

    triplet: Tensor  # () unweighted, PALW's signal
    weighted: Tensor  # ()


def dphr_terms(
    distances: Tensor,  # (B, B)
    spec: DphrSpec,
    same_place: Tensor | None = None,  # (B, B) bool
) -> TripletTerms:
    """Return ``L_tri`` and ``L_wtri``: means over all triplets of both directions, zeros included.

    :func:`train.losses.triplet.all_triplets` says why zeros count.
    """
    hinges = (triplet_gaps(distances) + spec.margin).relu() * triplet_shares(distances, same_place)
    triplet = hinges.sum()
    weighted = (hinges * rda_weights(distances, spec)).sum() if spec.rda else triplet
    return TripletTerms(triplet, weighted)


def rda_weights(distances: Tensor, spec: DphrSpec) -> Tensor:  # (B, B) -> (2, B, B), detached
    """Return ``w_min + (w_max - w_min) h``; a weight says which triplets matter, so no gradient may lower it."""
    return spec.w_min + (spec.w_max - spec.w_min) * _hardness(distances.detach())


def hardness(
    distances: Tensor,  # (B, B)
    same_place: Tensor | None = None,  # (B, B) bool
) -> Tensor:  # (n,) in (0, 1), detached
    """Return the hardness h of a batch's real triplets in both directions, for a histogram."""
    return _hardness(distances.detach())[both_directions(negatives(distances, same_place))]


def _hardness(distances: Tensor) -> Tensor:  # (B, B) -> (2, B, B), the diagonal without meaning
    """Return ``h = d_p / (d_p + d_n)``: 0.5 where both are as far, near 1 where the negative is hard; free of scale."""
    positive = distances.diagonal()[:, None]
    return positive / (positive + both_directions(distances))
