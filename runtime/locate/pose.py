"""The camera's pose from pixels and the ground they show, with the attitude and altitude that it claims as a prior.

Six unknowns: place, the logarithm of height, and a small rotation in camera axes (yaw-pitch-roll is singular straight
down). Iteratively reweighted Gauss-Newton with Cauchy weights; residuals are metres on the ground, each on the level of
the place that was matched, and the height is above the ground under the camera, wherever that comes to be. Roofs and
crowns stand off the ground and do so together, so many matches do not make the errors as small as their number claims:
they weigh against the prior as ``effective_points`` points at most, and the
covariance takes ``believed_share`` of what they say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from runtime.geo.camera import Camera
from runtime.geo.terrain import FLAT, Terrain
from runtime.locate.limits import POSE
from runtime.types import FloatArray

_STEP = np.array([1e-2, 1e-2, 1e-5, 1e-5, 1e-5, 1e-5])  # metres, metres, 1, radians: for the numeric Jacobian


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera was and how it looked."""

    east_m: float
    north_m: float
    height_m: float  # above the ground under it
    rotation: FloatArray  # (3, 3) east-north-up from camera
    offset: FloatArray  # (4,) log height and rotation vector found, against the nominal ones
    cov: FloatArray  # (6, 6) of east, north, log height, rotation vector
    residual_m: float  # robust standard deviation of the ground residuals

    def ground_en_m(self, rays: FloatArray, terrain: Terrain) -> FloatArray:
        """Return (N, 2) where (N, 3) rays in camera axes meet the ground; NaN at and above the horizon."""
        return terrain.meet(np.array([self.east_m, self.north_m]), self.height_m, rays @ self.rotation.T)


def solve_pose(
    camera: Camera,
    rotation: FloatArray,  # (3, 3) nominal
    height_m: float,
    pixel: FloatArray,  # (N, 2)
    place_en_m: FloatArray,  # (N, 2)
    *,
    prior_cov: FloatArray,
    floor_m: float,
    trust: float = 1.0,
    terrain: Terrain = FLAT,
) -> Pose | None:
    """Find the most probable pose; None when it sees a point above the horizon or does not settle.

    ``height_m`` is above the ground under the camera, ``terrain`` in the frame of the places.
    ``prior_cov`` (4, 4) is of log height and rotation vector about the nominal ones. ``floor_m`` is the least that a
    residual can be believed to mean, about a pixel of the map. ``trust``, 0 to 1, is what share of their usual say the
    points have.
    """
    sight = _Sight(camera.rays(pixel), rotation, height_m, terrain, terrain.up_m(place_en_m))
    state = np.zeros(6)
    start = sight.ground(state)
    if not np.isfinite(start).all():
        return None
    state[:2] = np.median(place_en_m - start, axis=0)
    prior_information = np.zeros((6, 6))
    prior_information[2:, 2:] = np.linalg.inv(prior_cov)
    for _ in range(POSE.rounds):
        predicted = sight.ground(state)
        if not np.isfinite(predicted).all():
            return None
        residual = place_en_m - predicted
        sigma_m = max(_spread(residual), floor_m)
        weight = _weights(residual, sigma_m, trust)
        jacobian = sight.jacobian(state, predicted)
        seen = jacobian.T @ (weight[:, None] * jacobian)
        gradient = jacobian.T @ (weight * residual.ravel()) - prior_information @ state
        step = np.linalg.solve(seen + prior_information, gradient)
        state = state + step
    if not (np.isfinite(state).all() and np.abs(step[:2]).max() < POSE.settled_m):
        return None
    return Pose(
        float(state[0]),
        float(state[1]),
        height_m * math.exp(state[2]),
        rotation @ rotation_from_vector(state[3:]),
        state[2:],
        np.linalg.inv(seen * POSE.believed_share + prior_information),
        sigma_m,
    )


@dataclass(frozen=True, slots=True)
class _Sight:
    """What was matched, and where a state of the solver sees it."""

    rays: FloatArray  # (N, 3) in camera axes
    rotation: FloatArray  # (3, 3) nominal
    height_m: float
    terrain: Terrain
    up_m: FloatArray  # (N,) height of the places that were matched

    def ground(self, state: FloatArray) -> FloatArray:
        """Return (N, 2) where rays come down to the level of the place that was matched; NaN above the horizon."""
        directions = self.rays @ (self.rotation @ rotation_from_vector(state[3:])).T
        down = -directions[:, 2:]
        over_m = self.height_m * math.exp(state[2]) + self.terrain.up_m(state[None, :2]) - self.up_m  # (N,)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(down > 1e-6, over_m[:, None] / down, np.nan)
        ground: FloatArray = state[:2] + directions[:, :2] * reach
        return ground

    def jacobian(self, state: FloatArray, at: FloatArray) -> FloatArray:
        """Differentiate numerically: (2 N, 6) by forward differences from ``at``, the ground of this state."""
        columns = []
        for i, step in enumerate(_STEP):
            moved = state.copy()
            moved[i] += step
            columns.append((self.ground(moved) - at).ravel() / step)
        return np.column_stack(columns)


def rotation_from_vector(vector: FloatArray) -> FloatArray:
    """Return (3, 3) rotation by |vector| radians about it (Rodrigues)."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector, np.float64))[0])


def offset_between(rotation: FloatArray, height_m: float, pose: Pose) -> FloatArray:  # (4,)
    """Return log height and rotation vector of a pose against a nominal rotation (3, 3) and height."""
    vector = np.asarray(cv2.Rodrigues(rotation.T @ pose.rotation)[0]).ravel()
    return np.concatenate([[math.log(pose.height_m / height_m)], vector])


def _weights(
    residual: FloatArray,  # (N, 2)
    sigma_m: float,
    trust: float,
) -> FloatArray:  # (2 N,)
    """Weigh residuals by Cauchy's function; together they count as so many points at most as are independent."""
    weight = 1.0 / (1.0 + (residual / (POSE.cauchy * sigma_m)) ** 2).ravel()
    weight *= min(1.0, trust * POSE.effective_points / (weight.sum() / 2)) / sigma_m**2
    return np.asarray(weight)


def _spread(residual: FloatArray) -> float:
    """Return robust standard deviation a coordinate: 1.4826 times the median absolute value."""
    return 1.4826 * float(np.median(np.abs(residual)))
