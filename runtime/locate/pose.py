"""The camera's pose from pixels and the ground they show, with what is told of attitude, altitude and lens as a prior.

Nine unknowns: place (2), and what is wrong with what is told (7, :mod:`runtime.locate.offset`; a rotation vector, for
yaw-pitch-roll is singular straight down). Iteratively reweighted Gauss-Newton with Cauchy weights; residuals are metres
on the ground, each on the level of the place that was matched, and the height is above the ground under the camera,
wherever that comes to be. Roofs and crowns stand off the ground and do so together, so many matches do not make the
errors as small as their number claims: they count as so many points at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from runtime.geo.camera import Camera
from runtime.geo.terrain import FLAT, Terrain
from runtime.locate.limits import POSE
from runtime.locate.offset import BEND, FOCAL, HEIGHT, SIZE, TURN, OffsetPrior
from runtime.types import FloatArray

_STEP = np.array([1e-2, 1e-2] + [1e-5] * SIZE)  # metres, 1, radians: for the numeric Jacobian
_LEAST_FALL = 0.05  # towards sloping ground, of the fall towards level one: a ray along a slope never meets it


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera was and how it looked."""

    east_m: float
    north_m: float
    height_m: float  # above the ground under it
    rotation: FloatArray  # (3, 3) east-north-up from camera
    offset: FloatArray  # (7,) found, against what is told
    cov: FloatArray  # (9, 9) of east, north and the offset
    residual_m: float  # robust standard deviation of the ground residuals
    log_evidence: float = 0.0  # of the points under the prior, to compare with other priors and one ``start``

    def ground_en_m(self, rays: FloatArray, terrain: Terrain) -> FloatArray:
        """Return (N, 2) where (N, 3) rays of the told lens meet the ground; NaN at and above the horizon."""
        seen = rays * _lens_scale(self.offset[FOCAL])
        return terrain.meet(np.array([self.east_m, self.north_m]), self.height_m, seen @ self.rotation.T)


def solve_pose(
    camera: Camera,
    rotation: FloatArray,  # (3, 3) told
    height_m: float,
    pixel: FloatArray,  # (N, 2)
    place_en_m: FloatArray,  # (N, 2)
    *,
    prior: OffsetPrior,
    floor_m: float,
    points: float = POSE.effective_points,
    terrain: Terrain = FLAT,
    start: Pose | None = None,
) -> Pose | None:
    """Find the most probable pose; None when it sees a point above the horizon or does not settle.

    ``height_m`` is above the ground under the camera, ``terrain`` in the frame of the places. ``floor_m`` is the least
    that a residual can be believed to mean, about a pixel of the map. The matches count as ``points`` at most, and of
    many only some are looked at. With the ``start`` of an earlier solution with the same told values a residual means
    what it meant there, so that evidence under several priors can be compared.
    """
    some = slice(None, None, max(math.ceil(len(pixel) / POSE.thinned_points), 1))
    pixel, place_en_m = pixel[some], place_en_m[some]
    sight = _Sight.of(camera.rays(pixel), rotation, height_m, terrain, place_en_m)
    before = np.concatenate([[0.0, 0.0], prior.mean])
    state = _first_state(sight, place_en_m, prior.mean if start is None else start.offset)
    information = np.zeros((2 + SIZE, 2 + SIZE))
    information[2:, 2:] = np.linalg.inv(prior.cov)
    for _ in range(POSE.rounds):
        predicted, jacobian = sight.jacobian(state)
        if not np.isfinite(predicted).all():
            return None
        residual = (place_en_m - predicted).ravel()
        sigma = max(_spread(residual), floor_m) if start is None else start.residual_m
        weight = 1.0 / (1.0 + (residual / (POSE.cauchy * sigma)) ** 2)
        share = min(1.0, points / (weight.sum() / 2))
        weighed = (weight * share / sigma**2)[:, None] * jacobian
        total = jacobian.T @ weighed + information
        step = np.linalg.solve(total, weighed.T @ residual - information @ (state - before))
        state = state + step
        if np.abs(step[:2]).max() < POSE.converged_m:
            break
    if not (np.isfinite(state).all() and np.abs(step[:2]).max() < POSE.settled_m):
        return None
    cov = np.linalg.inv(total)
    misfit = share * POSE.cauchy**2 * float(np.log1p((residual / (POSE.cauchy * sigma)) ** 2).sum())
    return Pose(
        float(state[0]),
        float(state[1]),
        height_m * math.exp(state[2 + HEIGHT]),
        rotation @ rotation_from_vector(state[2:][TURN]),
        state[2:],
        cov,
        sigma,
        _log_evidence(misfit, state[2:], cov, prior),
    )


def _first_state(sight: _Sight, place_en_m: FloatArray, offset: FloatArray) -> FloatArray:  # (9,)
    """Return the state with an offset (7,) that puts most points on their places (N, 2); NaN above the horizon."""
    ground = sight.ground(np.concatenate([[0.0, 0.0], offset])[None])[0]
    return np.concatenate([np.median(place_en_m - ground, axis=0), offset])


def _log_evidence(misfit: float, offset: FloatArray, cov: FloatArray, prior: OffsetPrior) -> float:
    """Return the logarithm of how probable the points are under a prior, but for a constant (Laplace)."""
    away = offset - prior.mean
    surprise = away @ np.linalg.inv(prior.cov) @ away + np.linalg.slogdet(prior.cov)[1] - np.linalg.slogdet(cov)[1]
    return -0.5 * float(misfit + surprise)


@dataclass(frozen=True, slots=True)
class _Sight:
    """What was matched, and where a state of the solver sees it."""

    rays: FloatArray  # (N, 3) in camera axes
    pivot: FloatArray  # (1, 3) the ray in their middle, whose ground no bend moves
    rotation: FloatArray  # (3, 3) told
    uphill: FloatArray  # (2, 2) east-north: what a bend about the picture's x and y axes is a slope towards
    height_m: float
    terrain: Terrain
    up_m: FloatArray  # (N,) height of the places that were matched

    @classmethod
    def of(
        cls, rays: FloatArray, rotation: FloatArray, height_m: float, terrain: Terrain, place_en_m: FloatArray
    ) -> _Sight:
        right = rotation[:2, 0] / max(math.hypot(*rotation[:2, 0]), 1e-9)
        uphill = -np.array([[-right[1], right[0]], right])
        pivot, up_m = np.median(rays, axis=0)[None], terrain.up_m(place_en_m)
        return cls(rays, pivot, rotation, uphill, height_m, terrain, up_m)

    def ground(self, states: FloatArray) -> FloatArray:
        """Return where rays come down to the level of the place that was matched, under each of (K, 9) states:
        (K, N, 2), NaN above the horizon.
        """
        offsets = states[:, 2:]
        scale = np.array([_lens_scale(one[FOCAL]) for one in offsets])[:, None]  # (K, 1, 3)
        back = np.array([(self.rotation @ rotation_from_vector(one[TURN])).T for one in offsets])
        across = _bent(
            _across((self.rays * scale) @ back), _across((self.pivot * scale) @ back), _slopes_of(offsets) @ self.uphill
        )
        over_m = self.height_m * np.exp(offsets[:, HEIGHT]) + self.terrain.up_m(states[:, :2])  # (K,)
        return np.asarray(states[:, None, :2] + across * (over_m[:, None] - self.up_m)[..., None])

    def jacobian(self, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the ground of a state (N, 2), and its numeric derivative (2 N, 9) by forward differences."""
        ground = self.ground(np.vstack([state, state + np.diag(_STEP)]))
        moved = (ground[1:] - ground[0]).reshape(len(_STEP), -1) / _STEP[:, None]
        return ground[0], moved.T


def _bent(
    across: FloatArray,  # (K, N, 2) a metre of fall
    pivot: FloatArray,  # (K, 1, 2) the same of the ray whose ground stays where it is
    slope: FloatArray,  # (K, 2) of the ground, east-north
) -> FloatArray:  # (K, N, 2)
    """Return how far rays go until they meet ground that slopes; NaN where they never do."""
    fall = 1.0 + (across * slope[:, None]).sum(axis=2, keepdims=True)
    at_pivot = 1.0 + (pivot * slope[:, None]).sum(axis=2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(fall > _LEAST_FALL, across * at_pivot / fall, np.nan)


def _across(directions: FloatArray) -> FloatArray:  # (..., 2)
    """Return how far directions (..., 3) go across a metre of fall; NaN above the horizon."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(directions[..., 2:] < -1e-6, directions[..., :2] / -directions[..., 2:], np.nan)


def _slopes_of(offsets: FloatArray) -> FloatArray:  # (K, 2)
    """Return the slopes that the bends of offsets (K, 7) stand for.

    What a slope does to matches grows with the height and with the square of a ray's slope. Both are taken out: a
    shorter lens must not make all bends of a flight small, and so seem likelier.
    """
    return np.asarray(offsets[:, BEND] * np.exp(2.0 * offsets[:, FOCAL] - offsets[:, HEIGHT])[:, None])


def rotation_from_vector(vector: FloatArray) -> FloatArray:
    """Return (3, 3) rotation by |vector| radians about it (Rodrigues)."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector, np.float64))[0])


def offset_between(rotation: FloatArray, height_m: float, pose: Pose) -> FloatArray:  # (7,)
    """Return what a pose found against another rotation (3, 3) and height than it was solved with."""
    offset = np.array(pose.offset)
    offset[HEIGHT] = math.log(pose.height_m / height_m)
    offset[TURN] = np.asarray(cv2.Rodrigues(rotation.T @ pose.rotation)[0]).ravel()
    return offset


def _lens_scale(log_focal: float) -> FloatArray:  # (3,)
    """Return what a told lens's rays are scaled by where the true one is longer: they spread less."""
    return np.array([math.exp(-log_focal), math.exp(-log_focal), 1.0])


def _spread(residual: FloatArray) -> float:
    """Return robust standard deviation a coordinate: 1.4826 times the median absolute value."""
    return 1.4826 * float(np.median(np.abs(residual)))
