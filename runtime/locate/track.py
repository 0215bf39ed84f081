"""Position and velocity between looks at the map: a Kalman filter with nearly constant velocity.

Source: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation, 6.2.2 (continuous white
noise acceleration). The covariance grows without looks and never shrinks without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runtime.locate.belief_limits import TRACK
from runtime.locate.kept import covariance
from runtime.types import FloatArray

_POSITION = np.eye(4)[:2]


@dataclass(frozen=True, slots=True)
class Track:
    """A drone's position, metres east and north of the map's middle, and its velocity, with their covariance."""

    t_us: int
    mean: FloatArray  # (4,) east, north, and their rates
    cov: FloatArray  # (4, 4)

    @classmethod
    def at(cls, t_us: int, position_en_m: FloatArray, cov_m2: FloatArray) -> Track:
        """Begin at a position (2,) of covariance (2, 2), with a speed that nothing has shown yet."""
        cov = np.diag([0.0, 0.0, TRACK.first_speed_sigma_mps**2, TRACK.first_speed_sigma_mps**2])
        cov[:2, :2] = cov_m2
        return cls(t_us, np.concatenate([position_en_m, [0.0, 0.0]]), cov)

    @property
    def position_en_m(self) -> FloatArray:
        return self.mean[:2]

    @property
    def position_cov_m2(self) -> FloatArray:
        return self.cov[:2, :2]

    @property
    def sigma_m(self) -> float:
        """Largest standard deviation of the position in any direction."""
        return float(np.sqrt(np.linalg.eigvalsh(self.position_cov_m2)[-1]))

    def predicted(self, t_us: int) -> Track:
        """Carry the state forward in time, by the speed that it has."""
        dt = (t_us - self.t_us) * 1e-6
        forward = np.eye(4)
        forward[0, 2] = forward[1, 3] = dt
        noise = np.kron(np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]), np.eye(2)) * TRACK.acceleration_psd_m2ps3
        return Track(t_us, forward @ self.mean, forward @ self.cov @ forward.T + noise)

    def carried(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> Track:
        """Carry the state forward by a displacement that is known; what the speed was before says nothing more."""
        dt = (t_us - self.t_us) * 1e-6
        mean = np.concatenate([self.position_en_m + shift_en_m, shift_en_m / dt])
        cov = np.zeros((4, 4))
        cov[:2, :2] = self.position_cov_m2 + cov_m2
        cov[:2, 2:] = cov[2:, :2] = cov_m2 / dt
        # A mean is not the speed at the end.
        cov[2:, 2:] = cov_m2 / dt**2 + np.eye(2) * TRACK.acceleration_psd_m2ps3 * dt / 3
        return Track(t_us, mean, cov)

    def distance2(self, position_en_m: FloatArray, cov_m2: FloatArray) -> float:
        """Return the squared Mahalanobis distance of a measured position."""
        innovation = position_en_m - self.position_en_m
        return float(innovation @ np.linalg.solve(self.position_cov_m2 + cov_m2, innovation))

    def seen_at(self, position_en_m: FloatArray, cov_m2: FloatArray) -> Track:
        """Take a measured position in."""
        gain = self.cov @ _POSITION.T @ np.linalg.inv(self.position_cov_m2 + cov_m2)
        keep = np.eye(4) - gain @ _POSITION
        mean = self.mean + gain @ (position_en_m - self.position_en_m)
        return replace(self, mean=mean, cov=keep @ self.cov @ keep.T + gain @ cov_m2 @ gain.T)  # Joseph's form

    def narrowed_to(self, position_en_m: FloatArray, cov_m2: FloatArray) -> Track:
        """Take in what the position's distribution has become; the velocity follows as far as it hangs on it."""
        gain = self.cov @ _POSITION.T @ np.linalg.inv(self.position_cov_m2)  # (4, 2)
        mean = self.mean + gain @ (position_en_m - self.position_en_m)
        cov = self.cov + gain @ (cov_m2 - self.position_cov_m2) @ gain.T
        return replace(self, mean=mean, cov=(cov + cov.T) / 2)

    def about(self, shift_en_m: FloatArray) -> Track:
        """Return the same state about another origin, from which the old one lies ``shift_en_m`` away."""
        return replace(self, mean=self.mean + np.concatenate([shift_en_m, [0.0, 0.0]]))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"t_us": self.t_us, "mean": self.mean.tolist(), "cov": self.cov.tolist()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Track:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        mean = np.array(values["mean"], np.float64).reshape(4)
        return cls(int(values["t_us"]), mean, covariance(values["cov"], 4))
