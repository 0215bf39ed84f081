"""PALW, the part of DPHR that says how much of its weighted loss counts, by the progress of the training."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypedDict

from train.losses.dphr import DphrSpec


class PalwState(TypedDict):
    """All that a later step depends on, in plain numbers: a checkpoint keeps it."""

    recent: list[float]  # the last ``window`` losses
    reference_sum: float  # of the first ``window`` losses
    reference_count: int
    lambda_t: float


class Palw:
    """The weight lambda_t of the weighted loss: 0 at the start, then it follows the fall of the unweighted one."""

    def __init__(self, spec: DphrSpec, mean: Callable[[float], float] = lambda value: value) -> None:
        """Start at 0; ``mean`` averages over ranks, so that lambda has the same bits on each."""
        self._spec, self._mean = spec, mean
        self._recent: deque[float] = deque(maxlen=spec.window)
        self._reference_sum = 0.0
        self._reference_count = 0
        self.lambda_t = 0.0 if spec.palw else spec.fixed_lambda

    def update(self, triplet: float) -> float:
        """Take one step's unweighted loss and return lambda of the same step.

        ``alpha_t = alpha_max clip(1 - Lbar_t / L_ref, 0, 1)`` with the means of the last and of the first ``window``
        losses; ``lambda_t = beta lambda_{t-1} + (1 - beta) alpha_t``.
        """
        spec = self._spec
        if not spec.palw:
            return self.lambda_t
        value = self._mean(triplet)
        self._recent.append(value)
        if self._reference_count < spec.window:
            self._reference_sum += value
            self._reference_count += 1
        reference = self._reference_sum / self._reference_count
        recent = sum(self._recent) / len(self._recent)
        fallen = 1.0 - recent / reference if reference > 0 else 0.0
        alpha = spec.alpha_max * min(max(fallen, 0.0), 1.0)
        self.lambda_t = spec.beta * self.lambda_t + (1.0 - spec.beta) * alpha
        return self.lambda_t

    def state_dict(self) -> PalwState:
        """Return all that a later step depends on."""
        return {
            "recent": list(self._recent),
            "reference_sum": self._reference_sum,
            "reference_count": self._reference_count,
            "lambda_t": self.lambda_t,
        }

    def load_state_dict(self, state: PalwState) -> None:
        """Continue where :meth:`state_dict` was taken."""
        self._recent = deque(state["recent"], maxlen=self._spec.window)
        self._reference_sum = float(state["reference_sum"])
        self._reference_count = int(state["reference_count"])
        self.lambda_t = float(state["lambda_t"])
