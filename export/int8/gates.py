"""What a reduced graph must reach: by cosine to FP32, and by what counts, finding the right place.

A loss on a set of some hundred queries is partly chance: which near ties fall which way. It is stated with its standard
error, and a gate fails when the loss is more than it allows and chance explains.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from runtime.errors import GateError
from runtime.model.manifest import JsonObject

MIN_WORST_COSINE = 0.90
MIN_MEAN_COSINE = 0.99
MAX_R1_LOSS = 0.005  # half a point
MAX_P90_LOSS = 0.02  # of FP32's metres
_MEND = "Calibrate on more pictures like those to be flown over (python -m calib.int8 --count 256), or fly FP16"


@dataclass(frozen=True, slots=True)
class SetResult:
    """A reduced graph beside FP32 on one gate set; a loss is negative where the reduced graph is better."""

    name: str
    sha256: str  # of the set
    queries: int
    gallery: int
    r1: float
    r1_fp32: float
    r1_loss_error: float  # standard error of the loss, from the queries that only one of the two found
    p90_m: float | None = None
    p90_m_fp32: float | None = None
    p90_loss_error: float | None = None  # as a share of FP32's, by resampling queries

    @property
    def r1_loss(self) -> float:
        """The R@1 that the reduced graph loses."""
        return self.r1_fp32 - self.r1

    @property
    def p90_loss(self) -> float | None:
        """The loss at the 90th percentile, as a share of FP32's metres."""
        if self.p90_m is None or self.p90_m_fp32 is None:
            return None
        return self.p90_m / max(self.p90_m_fp32, 1e-9) - 1

    def failure(self) -> str | None:
        """Say why the set refuses the graph, or return None."""
        if not self.r1_loss - self.r1_loss_error <= MAX_R1_LOSS:  # not >, so that NaN fails too
            lost = f"R@1 {self.r1:.3f}, FP32 {self.r1_fp32:.3f}, on {self.queries} queries of {self.name}"
            return f"{lost}; may lose {MAX_R1_LOSS} and a standard error of {self.r1_loss_error:.3f}"
        if self.p90_loss is not None and not self.p90_loss - (self.p90_loss_error or 0.0) <= MAX_P90_LOSS:
            lost = f"90% of {self.name} within {self.p90_m:.1f} m, FP32 {self.p90_m_fp32:.1f} m"
            return f"{lost}; may lose {MAX_P90_LOSS:.0%} and a standard error of {self.p90_loss_error or 0.0:.0%}"
        return None


@dataclass(frozen=True, slots=True)
class GateResult:
    """The measured quality of a graph, on pictures that nothing was calibrated on."""

    pictures: int
    cosine_mean: float
    cosine_worst: float
    sets: tuple[SetResult, ...]

    def as_json(self) -> JsonObject:
        """Return the record for the manifest, with what was required."""
        required = {
            "cosine_mean": MIN_MEAN_COSINE,
            "cosine_worst": MIN_WORST_COSINE,
            "r1_loss": MAX_R1_LOSS,
            "p90_loss": MAX_P90_LOSS,
        }
        return {**_rounded(asdict(self)), "required": required, "to": "fp32"}

    def failure(self) -> str | None:
        """Say which gate the graph does not pass first, or return None."""
        if not self.cosine_worst >= MIN_WORST_COSINE:  # not <, so that NaN fails too
            return f"worst cosine {self.cosine_worst:.4f}, needs {MIN_WORST_COSINE}"
        if not self.cosine_mean >= MIN_MEAN_COSINE:
            return f"mean cosine {self.cosine_mean:.4f}, needs {MIN_MEAN_COSINE}"
        return next((failure for result in self.sets if (failure := result.failure())), None)

    def check(self, what: str) -> None:
        """Raise GateError where the graph lost too much."""
        failure = self.failure()
        if failure:
            raise GateError(f"{what}: {failure}. {_MEND}")


def _rounded(value: Any) -> Any:
    """Return JSON with its floats rounded to five places."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value
