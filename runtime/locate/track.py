"""Position and velocity between looks at the map: a Kalman filter with nearly constant velocity.

Source: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation, 6.2.2 (continuous white
noise acceleration). The covariance grows without looks and never shrinks without one.
"""

from __future__ import annotations

import numpy as np

from runtime.locate.limits import TRACK
from runtime.types import FloatArray


class Track:
    """A drone's position, metres east and north of the map's middle, and its velocity, with their covariance."""

    def __init__(self, t_us: int, position_en_m: FloatArray, cov_m2: FloatArray) -> None:
        self.t_us = t_us
        self.mean: FloatArray = np.concatenate([position_en_m, [0.0, 0.0]])
        self.cov: FloatArray = np.zeros((4, 4))
        self.cov[:2, :2] = cov_m2
        self.cov[2:, 2:] = np.eye(2) * TRACK.first_speed_sigma_mps**2

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

    def predict(self, t_us: int) -> None:
        """Carry the state forward in time."""
        dt = (t_us - self.t_us) * 1e-6
        forward = np.eye(4)
        forward[0, 2] = forward[1, 3] = dt
        noise = np.kron(np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]), np.eye(2)) * TRACK.acceleration_psd_m2ps3
        self.mean = forward @ self.mean
        self.cov = forward @ self.cov @ forward.T + noise
        self.t_us = t_us

    def carry(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> None:
        """Carry the state forward by a displacement that was seen; what the speed was before says nothing more."""
        dt = (t_us - self.t_us) * 1e-6
        position_cov = self.position_cov_m2 + cov_m2
        self.mean = np.concatenate([self.position_en_m + shift_en_m, shift_en_m / dt])
        self.cov = np.zeros((4, 4))
        self.cov[:2, :2] = position_cov
        self.cov[2:, 2:] = (
            cov_m2 / dt**2 + np.eye(2) * TRACK.acceleration_psd_m2ps3 * dt / 3
        )  # a mean is not the speed at the end
        self.t_us = t_us

    def distance2(self, position_en_m: FloatArray, cov_m2: FloatArray) -> float:
        """Return the squared Mahalanobis distance of a measured position."""
        innovation = position_en_m - self.position_en_m
        return float(innovation @ np.linalg.solve(self.position_cov_m2 + cov_m2, innovation))

    def see_position(self, position_en_m: FloatArray, cov_m2: FloatArray) -> None:
        """Take a measured position in."""
        self._update(np.eye(4)[:2], position_en_m, cov_m2)

    def see_velocity(self, velocity_en_mps: FloatArray) -> None:
        """Take the autopilot's velocity in."""
        self._update(np.eye(4)[2:], velocity_en_mps, np.eye(2) * TRACK.velocity_sigma_mps**2)

    def _update(self, observe: FloatArray, measured: FloatArray, noise: FloatArray) -> None:
        gain = self.cov @ observe.T @ np.linalg.inv(observe @ self.cov @ observe.T + noise)
        keep = np.eye(4) - gain @ observe
        self.mean = self.mean + gain @ (measured - observe @ self.mean)
        self.cov = keep @ self.cov @ keep.T + gain @ noise @ gain.T  # Joseph's form stays symmetric


def moved_variance_m2(seconds: float) -> float:
    """Return the variance, in each direction, of a displacement reckoned from the velocity at its end."""
    return (TRACK.velocity_sigma_mps * seconds) ** 2 + TRACK.acceleration_psd_m2ps3 * seconds**3 / 3
