"""A position that is measured, and one that may be said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from runtime.fix import FixSource
from runtime.locate.belief_limits import BELIEF, POSTERIOR
from runtime.locate.kept import covariance
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class PositionMeasurement:
    """A position of the drone that a registration gives, about the map's middle."""

    t_us: int
    position_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)
    outlier_share: float  # how often one like it is a fluke

    @property
    def strong(self) -> bool:
        """Whether it may be believed though nothing else agrees yet."""
        return self.outlier_share <= POSTERIOR.strong_outlier_share

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "t_us": self.t_us,
            "position_en_m": self.position_en_m.tolist(),
            "cov_m2": self.cov_m2.tolist(),
            "outlier_share": self.outlier_share,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PositionMeasurement:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        position = np.array(values["position_en_m"], np.float64).reshape(2)
        return cls(int(values["t_us"]), position, covariance(values["cov_m2"], 2), float(values["outlier_share"]))


@dataclass(frozen=True, slots=True)
class PositionEstimate:
    """A position that may be said, and what it rests on."""

    t_us: int
    source: FixSource
    position_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)
    anchored_us: int  # when the map last confirmed it
    quality: int  # 0 to 100

    @property
    def sigma_m(self) -> float:
        """The standard deviation in the direction in which it is largest."""
        return float(np.sqrt(np.linalg.eigvalsh(self.cov_m2)[-1]))

    def reaches(self, other: PositionEstimate) -> bool:
        """Tell whether a drone can come from one to the other in the time between."""
        seconds = abs(self.t_us - other.t_us) * 1e-6
        apart_m = math.dist(self.position_en_m, other.position_en_m)
        return apart_m <= BELIEF.max_speed_mps * seconds + BELIEF.agreeing_sigmas * (self.sigma_m + other.sigma_m)
