"""What stays wrong along a flight: camera mount, heading reference, altitude and focal length.

Each frame's offset is the slowly varying mount plus the frame's own jitter. A frame's solved offset says something of
the mount, and the mount is the next frame's prior (one Rauch-Tung-Striebel step, backwards from frame to mount).
Offsets are (4,): log height, and a rotation vector in camera axes, radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runtime.locate.pose import rotation_from_vector
from runtime.types import FloatArray

_DRIFT = np.array([0.005, 0.001, 0.001, 0.002])  # a frame
_JITTER = np.array([0.03, math.radians(1.5), math.radians(1.5), math.radians(3.0)])
_YAW_SIGMA_DEG = 10.0  # a heading taken from the track crabs in wind
HEADINGS_APART_DEG = 30.0  # of those tried when it is unknown: encoder and local features bear some 20 degrees

_GATE = 11.8  # chi-square, two degrees of freedom, 99.7%
_FLAT_SCALE, _FLAT_TURN_DEG = 0.05, 2.0  # what relief, roofs and tilt do to a similarity besides


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How wrong a claimed attitude and altitude may be, before a flight has shown it."""

    mount: FloatArray  # (4, 4) the same in every frame
    frame: FloatArray  # (4, 4) another in each


class MountEstimate:
    """Belief about the mount, narrowed by every pose that was believed."""

    def __init__(self) -> None:
        self._mean: FloatArray = np.zeros(4)
        self._cov: FloatArray | None = None

    def correct(self, rotation: FloatArray, height_m: float) -> tuple[FloatArray, float]:
        """The claimed rotation and height with what is known to be wrong taken out."""
        return rotation @ rotation_from_vector(self._mean[1:]), height_m * math.exp(self._mean[0])

    def frame_cov(self, told: Uncertainty) -> FloatArray:
        """(4, 4) how wrong the corrected ones may still be."""
        cov: FloatArray = (told.mount if self._cov is None else self._cov) + told.frame
        return cov

    def learn(self, told: Uncertainty, offset: FloatArray, cov: FloatArray) -> None:
        """Take in the offset that a frame's pose found beyond the correction, with its covariance."""
        before = (told.mount if self._cov is None else self._cov) + np.diag(_DRIFT**2)
        frame = before + told.frame
        gain = before @ np.linalg.inv(frame)
        self._mean = self._mean + gain @ offset
        self._cov = before - gain @ (frame - cov) @ gain.T


def first_uncertainty(
    rotation: FloatArray,  # (3, 3) nominal, east-north-up from camera
    *,
    roll_known: bool,
    yaw_known: bool,
) -> Uncertainty:
    """Pitch is nominal and heading perhaps from the track; a heading that is only supposed is wrong anew each time."""
    up = rotation.T @ np.array([0.0, 0.0, 1.0])
    across, along = np.eye(3)[0], np.eye(3)[2]
    roll_sigma_deg, yaw_sigma_deg = 2.0 if roll_known else 4.0, _YAW_SIGMA_DEG if yaw_known else 0.0
    mount, frame = np.diag([0.10**2, 0.0, 0.0, 0.0]), np.diag(_JITTER**2)
    for axis, sigma_deg in ((up, yaw_sigma_deg), (across, 4.0), (along, roll_sigma_deg)):
        mount[1:, 1:] += math.radians(sigma_deg) ** 2 * np.outer(axis, axis)
    mount[1:, 1:] += math.radians(2.0) ** 2 * np.eye(3)  # straight down, roll does not tilt sideways, yet cameras do
    if not yaw_known:
        frame[1:, 1:] += math.radians(HEADINGS_APART_DEG) ** 2 / 12 * np.outer(up, up)
    return Uncertainty(mount, frame)


def is_plausible(
    rotation: FloatArray,  # (3, 3) corrected, east-north-up from camera
    cov: FloatArray,  # (4, 4) of the offset
    *,
    scale: float,
    turn_deg: float,
) -> bool:
    """Could attitude and height be as far off as a fitted similarity says? 99.7%, two degrees of freedom."""
    up = rotation.T @ np.array([0.0, 0.0, 1.0])
    scale_variance = cov[0, 0] + _FLAT_SCALE**2
    turn_variance = up @ cov[1:, 1:] @ up + math.radians(_FLAT_TURN_DEG) ** 2
    return bool(math.log(scale) ** 2 / scale_variance + math.radians(turn_deg) ** 2 / turn_variance <= _GATE)
