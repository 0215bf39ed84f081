"""What stays wrong along a flight: camera mount, heading reference, altitude and focal length.

A told attitude is right to a fraction of a degree, or wrong by a constant, or wrong anew in each frame (a camera whose
roll or pitch nobody measures): three accounts of the same flight, each with its own estimate of the mount, weighed by
how well they foretell what the frames match. In each the offset of a frame is the slowly varying mount plus the frame's
own jitter; a frame's solved offset says something of the mount, and the mount is the next frame's prior (one
Rauch-Tung-Striebel step, backwards from frame to mount). Offsets are those of :mod:`runtime.locate.offset`.

Source: Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and Navigation, section 11.6.2 (static
multiple models).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runtime.fix import Doubt
from runtime.locate.kept import covariance
from runtime.locate.limits import ACCOUNTS, MOUNT, Supposition
from runtime.locate.offset import BEND, FOCAL, HEIGHT, SIZE, TURN, OffsetPrior
from runtime.locate.pose import Pose, rotation_from_vector
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How wrong a told attitude, altitude and lens may be by one account, before a flight has shown it."""

    mount: FloatArray  # (7, 7) the same in every frame
    frame: FloatArray  # (7, 7) another in each
    slope_rad: float  # one sigma of the ground's, where no heights are known

    def bent(self, relief_rad: float, *, slopes: bool) -> Uncertainty:
        """Return the same with one sigma by which roofs and crowns bend this frame's matches, and perhaps a slope."""
        frame = self.frame.copy()
        frame[BEND, BEND] += (relief_rad**2 + (self.slope_rad**2 if slopes else 0.0)) * np.eye(2)
        return replace(self, frame=frame)


@dataclass(frozen=True, slots=True)
class Account:
    """One account of what is wrong with what is told."""

    weight: float
    mean: FloatArray  # (7,)
    cov: FloatArray | None = None  # (7, 7); None: nothing was learnt

    def mount_cov(self, prior: Uncertainty) -> FloatArray:
        """Return how well the mount is known in the next frame, (7, 7)."""
        return prior.mount if self.cov is None else self.cov + np.diag(np.square(MOUNT.drift))

    def frame_prior(self, prior: Uncertainty) -> OffsetPrior:
        """Return what may be wrong in the next frame."""
        return OffsetPrior(self.mean, self.mount_cov(prior) + prior.frame)

    def learned(self, prior: Uncertainty, pose: Pose) -> Account:
        """Take in what a frame's pose found under this account."""
        before = self.mount_cov(prior)
        frame = before + prior.frame
        gain = before @ np.linalg.inv(frame)
        mean = self.mean + gain @ (pose.offset - self.mean)
        cov = before - gain @ (frame - pose.cov[2:, 2:]) @ gain.T
        return replace(self, mean=mean, cov=(cov + cov.T) / 2)


@dataclass(frozen=True, slots=True)
class MountEstimate:
    """What is known of the mount, narrowed by every pose that was believed."""

    accounts: tuple[Account, ...] = tuple(Account(one.weight, np.zeros(SIZE)) for one in ACCOUNTS)

    @property
    def weights(self) -> FloatArray:  # (A,)
        return np.array([one.weight for one in self.accounts])

    @property
    def mean(self) -> FloatArray:  # (7,)
        """What is wrong with what is told, most probably."""
        return np.asarray(self.weights @ np.array([one.mean for one in self.accounts]))

    def correct(self, rotation: FloatArray, height_m: float) -> tuple[FloatArray, float]:
        """Take what is known to be wrong out of the told rotation and height."""
        mean = self.mean
        return rotation @ rotation_from_vector(mean[TURN]), height_m * math.exp(mean[HEIGHT])

    @property
    def focal_scale(self) -> float:
        """How much longer the lens is than told."""
        return math.exp(float(self.mean[FOCAL]))

    def frame_cov(self, priors: Sequence[Uncertainty]) -> FloatArray:
        """Return how wrong what was corrected may still be, (7, 7)."""
        mean, total = self.mean, np.zeros((SIZE, SIZE))
        for one, prior in zip(self.accounts, priors, strict=True):
            total += one.weight * (one.frame_prior(prior).cov + np.outer(one.mean - mean, one.mean - mean))
        return total

    def learned(
        self, priors: Sequence[Uncertainty], poses: Sequence[Pose | None], weights: FloatArray
    ) -> MountEstimate:
        """Take in what a frame's poses found, one under each account, and what each has come to weigh."""
        share = (1.0 - MOUNT.forgotten) * weights + MOUNT.forgotten * np.array([one.weight for one in ACCOUNTS])
        accounts = []
        for one, prior, pose, weight in zip(self.accounts, priors, poses, share.tolist(), strict=True):
            # An account that is refuted begins anew, lest it carry nonsense along.
            if pose is None or weight < MOUNT.refuted:
                accounts.append(Account(weight, np.zeros(SIZE)))
            else:
                accounts.append(replace(one.learned(prior, pose), weight=weight))
        return MountEstimate(tuple(accounts))

    def known(self) -> OffsetPrior | None:
        """Return what the accounts that have learnt something say together; None where none has."""
        taught = [(one.weight, one.mean, one.cov) for one in self.accounts if one.cov is not None]
        total = sum(weight for weight, _, _ in taught)
        if not total > 1.0 - MOUNT.refuted * len(ACCOUNTS):
            return None
        mean = np.sum([weight / total * mean for weight, mean, _ in taught], axis=0)
        cov = [weight / total * (cov + np.outer(one - mean, one - mean)) for weight, one, cov in taught]
        return OffsetPrior(mean, np.sum(cov, axis=0))

    def contradicts(self) -> dict[Doubt, bool]:
        """Say what the poses along the flight contradict of the told attitude, height and lens."""
        known = self.known()
        if known is None:
            return {}
        found = np.maximum(np.abs(known.mean) - 2.0 * np.sqrt(np.diag(known.cov)), 0.0)  # surely off by so much
        return {
            "yaw": float(found[TURN][2]) > math.radians(MOUNT.doubted_yaw_deg),
            "tilt": math.hypot(*found[TURN][:2]) > math.radians(MOUNT.doubted_tilt_deg),
            "altitude": float(found[HEIGHT]) > MOUNT.doubted_log_height,
            "focal_length": float(found[FOCAL]) > MOUNT.doubted_log_focal,
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        accounts = [
            {"weight": one.weight, "mean": one.mean.tolist(), "cov": None if one.cov is None else one.cov.tolist()}
            for one in self.accounts
        ]
        return {"accounts": accounts}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MountEstimate:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        accounts = tuple(_account(one) for one in values["accounts"])
        total = sum(one.weight for one in accounts)
        if len(accounts) != len(ACCOUNTS) or not abs(total - 1.0) < 1e-6:
            raise ValueError(f"{len(accounts)} accounts of a mount that weigh {total}")
        return cls(accounts)


def _account(values: Mapping[str, Any]) -> Account:
    weight, cov = float(values["weight"]), values["cov"]
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"an account that weighs {weight}")
    mean = np.array(values["mean"], np.float64).reshape(SIZE)
    return Account(weight, mean, None if cov is None else covariance(cov, SIZE))


def first_uncertainty(
    rotation: FloatArray,  # (3, 3) told, east-north-up from camera
    *,
    roll_known: bool,
    yaw_known: bool,
    focal_sigma: float | None = None,
) -> tuple[Uncertainty, ...]:
    """Say how wrong a frame's attitude, altitude and lens may be by each account.

    A heading that is only supposed is wrong anew each time. Where roll is not told nobody measures where the camera
    looks, and the pitch is nominal. ``focal_sigma`` is that of a lens that was measured, a share of its focal length.
    """
    each = [_uncertainty(rotation, one, roll_known=roll_known, yaw_known=yaw_known) for one in ACCOUNTS]
    if focal_sigma is not None:
        for one in each:
            one.mount[FOCAL, FOCAL] = focal_sigma**2
            one.frame[FOCAL, FOCAL] = min(one.frame[FOCAL, FOCAL], focal_sigma**2)
    return tuple(each)


def _uncertainty(rotation: FloatArray, one: Supposition, *, roll_known: bool, yaw_known: bool) -> Uncertainty:
    up = rotation.T @ np.array([0.0, 0.0, 1.0])
    about_up, level = np.outer(up, up), np.eye(3) - np.outer(up, up)
    mount, frame = np.diag(np.square(MOUNT.first)), np.diag(np.square(MOUNT.jitter))
    mount[TURN, TURN] += math.radians(one.tilt_sigma_deg) ** 2 * level
    frame[TURN, TURN] += math.radians(one.jitter_deg) ** 2 * level
    if not roll_known:
        mount[TURN, TURN] += math.radians(MOUNT.unknown_roll_sigma_deg) ** 2 * level
        frame[TURN, TURN] += math.radians(MOUNT.unknown_roll_jitter_deg) ** 2 * level
    if yaw_known:
        mount[TURN, TURN] += math.radians(one.yaw_sigma_deg) ** 2 * about_up
        frame[TURN, TURN] += math.radians(MOUNT.yaw_jitter_deg) ** 2 * about_up
    else:
        frame[TURN, TURN] += math.radians(MOUNT.headings_apart_deg) ** 2 / 12 * about_up
    slope_deg = one.slope_deg if roll_known else MOUNT.unknown_roll_slope_deg
    return Uncertainty(mount, frame, math.radians(slope_deg))


def is_plausible(
    rotation: FloatArray,  # (3, 3) corrected, east-north-up from camera
    cov: FloatArray,  # (7, 7) of the offset
    *,
    scale: float,
    turn_deg: float,
) -> bool:
    """Tell whether attitude, height and lens can be as far off as a fitted similarity says (99.7%)."""
    up = rotation.T @ np.array([0.0, 0.0, 1.0])
    larger = np.eye(SIZE)[HEIGHT] - np.eye(SIZE)[FOCAL]  # of the ground's scale: higher, or a shorter lens
    scale_variance = larger @ cov @ larger + MOUNT.similarity_scale_sigma**2
    turn_variance = up @ cov[TURN, TURN] @ up + math.radians(MOUNT.similarity_turn_sigma_deg) ** 2
    return bool(math.log(scale) ** 2 / scale_variance + math.radians(turn_deg) ** 2 / turn_variance <= MOUNT.gate)
