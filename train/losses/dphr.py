"""DPHR, reconstructed: ``L_tri + lambda_t L_wtri`` (arXiv 2510.27181); no public code exists.

RDA weighs each triplet by how hard its negative is; PALW lets the weighted loss in as training matures. From the paper:
both losses and their sum, the hardness ``d_p / (d_p + d_n)`` mapped linearly into an interval of weights, and a lambda
that follows a smoothed, moving average of unweighted losses. Chosen here: every constant, the Euclidean distance, both
directions, the mean over all triplets, and the fall of the loss against its first window as the signal.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from runtime.errors import TrainError
from train.losses.distances import both_directions
from train.losses.triplet import all_triplets


@dataclass(frozen=True)
class DphrSpec:
    """The constants. Without ``rda`` all weights are 1; without ``palw`` lambda is ``fixed_lambda``."""

    margin: float = 0.3
    rda: bool = True
    w_min: float = 0.5
    w_max: float = 1.5
    palw: bool = True
    window: int = 64  # steps in the moving average of the unweighted loss
    alpha_max: float = 1.0
    beta: float = 0.9  # 0.99 for long runs
    fixed_lambda: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.w_min <= self.w_max:
            raise TrainError(f"w_min {self.w_min} and w_max {self.w_max}: expected 0 <= w_min <= w_max")
        if not (self.window >= 1 and 0 <= self.beta < 1 and self.alpha_max >= 0 and self.margin >= 0):
            raise TrainError(f"{self}: expected window >= 1, 0 <= beta < 1, alpha_max >= 0 and margin >= 0")


class DphrTerms(NamedTuple):
    """One step's parts; ``loss`` is what is minimised."""

    loss: Tensor  # ()
    triplet: Tensor  # () unweighted
    lambda_t: float


def rda_weights(
    distances: Tensor,  # (B, B)
    w_min: float,
    w_max: float,
) -> Tensor:  # (2, B, B), detached
    """``w_min + (w_max - w_min) h`` with ``h = d_p / (d_p + d_n)``: 0.5 where both are as far, near 1 when hard."""
    both = both_directions(distances.detach())
    positive = both.diagonal(dim1=1, dim2=2).unsqueeze(2)  # (2, B, 1)
    hardness = positive / (positive + both)
    return w_min + (w_max - w_min) * hardness


class Palw:
    """The weight lambda_t: 0 at the start, following how far the unweighted loss has come down."""

    def __init__(self, spec: DphrSpec) -> None:
        self._spec = spec
        self._recent: deque[float] = deque(maxlen=spec.window)
        self._reference_sum = 0.0
        self._reference_count = 0
        self.lambda_t = 0.0

    def update(self, triplet_loss: float) -> float:
        """Take one step's unweighted loss (averaged over all ranks) and return the lambda of this step."""
        spec = self._spec
        self._recent.append(triplet_loss)
        if self._reference_count < spec.window:
            self._reference_sum += triplet_loss
            self._reference_count += 1
        reference = self._reference_sum / self._reference_count
        recent = sum(self._recent) / len(self._recent)
        fallen = 1.0 - recent / reference if reference > 0 else 0.0
        alpha = spec.alpha_max * min(max(fallen, 0.0), 1.0)
        self.lambda_t = spec.beta * self.lambda_t + (1.0 - spec.beta) * alpha
        return self.lambda_t

    def state_dict(self) -> dict[str, Any]:
        """All that a later step depends on, in plain numbers."""
        return {
            "recent": list(self._recent),
            "reference_sum": self._reference_sum,
            "reference_count": self._reference_count,
            "lambda_t": self.lambda_t,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken."""
        self._recent = deque(state["recent"], maxlen=self._spec.window)
        self._reference_sum = float(state["reference_sum"])
        self._reference_count = int(state["reference_count"])
        self.lambda_t = float(state["lambda_t"])


def dphr(
    distances: Tensor,  # (B, B)
    palw: Palw,
    spec: DphrSpec,
    same_place: Tensor | None = None,  # (B, B) bool
) -> DphrTerms:
    """The loss of one step; moves ``palw`` on by that step."""
    triplet = all_triplets(distances, spec.margin, same_place)
    weights = (
        rda_weights(distances, spec.w_min, spec.w_max) if spec.rda else torch.ones_like(both_directions(distances))
    )
    weighted = all_triplets(distances, spec.margin, same_place, weights)
    lambda_t = palw.update(triplet.item()) if spec.palw else spec.fixed_lambda
    return DphrTerms(triplet + lambda_t * weighted, triplet, lambda_t)
