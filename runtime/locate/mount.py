"""What stays wrong along a flight: camera mount, heading reference, altitude and focal length.

Each frame's offset is the slowly varying mount plus the frame's own jitter. A frame's solved offset says something of
the mount, and the mount is the next frame's prior (one Rauch-Tung-Striebel step, backwards from frame to mount).
Offsets are (4,): log height, and a rotation vector in camera axes, radians.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runtime.fix import Doubt
from runtime.locate.kept import covariance
from runtime.locate.limits import MOUNT
from runtime.locate.pose import rotation_from_vector
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How wrong a claimed attitude and altitude may be, before a flight has shown it."""

    mount: FloatArray  # (4, 4) the same in every frame
    frame: FloatArray  # (4, 4) another in each


@dataclass(frozen=True, slots=True)
class MountEstimate:
    """What is known of the mount, narrowed by every pose that was believed."""

    mean: FloatArray = field(default_factory=lambda: np.zeros(4))  # (4,)
    cov: FloatArray | None = None  # (4, 4); None: nothing was learnt

    def correct(self, rotation: FloatArray, height_m: float) -> tuple[FloatArray, float]:
        """Take what is known to be wrong out of the claimed rotation and height."""
        return rotation @ rotation_from_vector(self.mean[1:]), height_m * math.exp(self.mean[0])

    def frame_cov(self, prior: Uncertainty) -> FloatArray:
        """Return how wrong a corrected rotation and height may still be, (4, 4) of log height and rotation vector."""
        cov: FloatArray = (prior.mount if self.cov is None else self.cov) + prior.frame
        return cov

    def learned(self, prior: Uncertainty, offset: FloatArray, cov: FloatArray) -> MountEstimate:
        """Take in the offset that a frame's pose found beyond the correction, with its covariance."""
        before = (prior.mount if self.cov is None else self.cov) + np.diag(np.square(MOUNT.drift))
        frame = before + prior.frame
        gain = before @ np.linalg.inv(frame)
        return MountEstimate(self.mean + gain @ offset, before - gain @ (frame - cov) @ gain.T)

    def contradicts(self) -> dict[Doubt, bool]:
        """Say what the poses along the flight contradict of the told attitude and height."""
        if self.cov is None:
            return {}
        sigma = np.sqrt(np.diag(self.cov))
        found = np.abs(self.mean) - 2.0 * sigma  # surely off by so much
        tilt = math.hypot(max(float(found[1]), 0.0), max(float(found[2]), 0.0))
        return {
            "yaw": float(found[3]) > math.radians(MOUNT.doubted_yaw_deg),
            "tilt": tilt > math.radians(MOUNT.doubted_tilt_deg),
            "altitude": float(found[0]) > MOUNT.doubted_log_height,
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"mean": self.mean.tolist(), "cov": None if self.cov is None else self.cov.tolist()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MountEstimate:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        cov = values["cov"]
        return cls(
            np.array(values["mean"], np.float64).reshape(4),
            None if cov is None else covariance(cov, 4),
        )


def first_uncertainty(
    rotation: FloatArray,  # (3, 3) nominal, east-north-up from camera
    *,
    roll_known: bool,
    yaw_known: bool,
) -> Uncertainty:
    """Say how wrong a frame's attitude and altitude may be; a heading that is only supposed is wrong anew each time."""
    up = rotation.T @ np.array([0.0, 0.0, 1.0])
    across, along = np.eye(3)[0], np.eye(3)[2]
    roll_sigma_deg = MOUNT.roll_sigma_deg if roll_known else MOUNT.unknown_roll_sigma_deg
    yaw_sigma_deg = MOUNT.yaw_sigma_deg if yaw_known else 0.0
    mount, frame = np.diag([MOUNT.log_height_sigma**2, 0.0, 0.0, 0.0]), np.diag(np.square(MOUNT.jitter))
    for axis, sigma_deg in ((up, yaw_sigma_deg), (across, MOUNT.pitch_sigma_deg), (along, roll_sigma_deg)):
        mount[1:, 1:] += math.radians(sigma_deg) ** 2 * np.outer(axis, axis)
    mount[1:, 1:] += math.radians(MOUNT.any_axis_sigma_deg) ** 2 * np.eye(3)
    if not yaw_known:
        frame[1:, 1:] += math.radians(MOUNT.headings_apart_deg) ** 2 / 12 * np.outer(up, up)
    return Uncertainty(mount, frame)


def is_plausible(
    rotation: FloatArray,  # (3, 3) corrected, east-north-up from camera
    cov: FloatArray,  # (4, 4) of the offset
    *,
    scale: float,
    turn_deg: float,
) -> bool:
    """Tell whether attitude and height can be as far off as a fitted similarity says (99.7%)."""
    up = rotation.T @ np.array([0.0, 0.0, 1.0])
    scale_variance = cov[0, 0] + MOUNT.similarity_scale_sigma**2
    turn_variance = up @ cov[1:, 1:] @ up + math.radians(MOUNT.similarity_turn_sigma_deg) ** 2
    return bool(math.log(scale) ** 2 / scale_variance + math.radians(turn_deg) ** 2 / turn_variance <= MOUNT.gate)
