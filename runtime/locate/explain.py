"""What a registered frame says under each account of the mount: a pose each, and how well the account foretold it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runtime.geo.camera import rotation_of
from runtime.locate.limits import MOUNT, POSE, REGISTRATION
from runtime.locate.mount import MountEstimate
from runtime.locate.offset import FOCAL, TURN, OffsetPrior
from runtime.locate.pose import Pose, offset_between, solve_pose
from runtime.locate.verify import RegisteredView, trust_in
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class Explained:
    """A registered frame under all accounts together."""

    position_en_m: FloatArray  # (2,) of the drone, about the registration's origin
    cov_m2: FloatArray  # (2, 2)
    pose: Pose  # under the likeliest account
    tilt_rad: float  # from what an account expected, the furthest of those that may be right
    missing_m: float  # one sigma of what may be missing of a tilt that was found far from what is told
    mount: MountEstimate  # with what this frame taught


def explained(registered: RegisteredView, mount: MountEstimate, floor_m: float) -> Explained | None:
    """Solve the pose under each account; together they say where the drone is, and how surely. None: under none.

    ``floor_m`` is the least that a residual can be believed to mean.
    """
    relief_rad, slopes = _relief_rad(registered), registered.terrain.is_level
    priors = [one.bent(relief_rad, slopes=slopes) for one in registered.view.uncertainty]
    start = _against_told(registered)
    poses = [
        _solved(registered, account.frame_prior(prior), start, floor_m)
        for account, prior in zip(mount.accounts, priors, strict=True)
    ]
    weights = _weights(mount, poses)
    each = zip(weights.tolist(), poses, mount.accounts, strict=True)
    solved = [(weight, pose, account) for weight, pose, account in each if pose is not None]
    if not solved:
        return None
    share, found = np.array([weight for weight, _, _ in solved]), [pose for _, pose, _ in solved]
    middle, cov_m2 = _together(share, found)
    pose = max(solved, key=lambda one: one[0])[1]
    # Sloping ground explains much of a tilt: that the likeliest account found none does not rule it out.
    likely = [one for one in solved if one[0] >= MOUNT.may_be_right]
    tilt_rad = max(math.hypot(*(one.offset - account.mean)[TURN][:2]) for _, one, account in likely)
    against_told_rad = max(math.hypot(*one.offset[TURN][:2]) for _, one, _ in likely)
    missing_m = _missing_share(registered.agreement) * against_told_rad * pose.height_m
    return Explained(middle, cov_m2, pose, tilt_rad, missing_m, mount.learned(priors, poses, weights))


def _together(share: FloatArray, poses: Sequence[Pose]) -> tuple[FloatArray, FloatArray]:  # (2,), (2, 2)
    """Return the place of all poses together, and its covariance; improbable ones keep more than their share of it."""
    place = np.array([(pose.east_m, pose.north_m) for pose in poses])
    middle, tail = share @ place, share**MOUNT.tail_power
    away = place - middle
    cov = np.array([pose.cov[:2, :2] for pose in poses]) + away[:, :, None] * away[:, None]
    return middle, np.tensordot(tail / tail.sum(), cov, axes=1)


def _missing_share(agreement: float) -> float:
    """Return one sigma of the share of a tilt that is missing where so few points agree."""
    doubted = REGISTRATION.tilt_agreements[0], REGISTRATION.good_agreement
    return MOUNT.missing_tilt * float(np.interp(agreement, doubted, (1.0, 0.0)))


def _solved(registered: RegisteredView, prior: OffsetPrior, start: Pose, floor_m: float) -> Pose | None:
    told = registered.view.told
    return solve_pose(
        told.camera,
        rotation_of(told.attitude),
        told.alt_agl_m,
        registered.pixel,
        registered.place_en_m,
        prior=prior,
        floor_m=floor_m,
        points=trust_in(registered.agreement) * POSE.independent_points,
        terrain=registered.terrain,
        start=start,
    )


def _against_told(registered: RegisteredView) -> Pose:
    """Return the pose that was found with its offset against what is told, not against what was corrected."""
    told, pose = registered.view.told, registered.pose
    offset = offset_between(rotation_of(told.attitude), told.alt_agl_m, pose)
    offset[FOCAL] += math.log(registered.view.camera.matrix[0, 0] / told.camera.matrix[0, 0])
    return replace(pose, offset=offset)


def _relief_rad(registered: RegisteredView) -> float:
    """Return one sigma by which what stands off the ground, and so disagrees, bends a frame's matches."""
    place = registered.place_en_m
    edge_m = math.sqrt(1.5 * float(np.square(place - place.mean(axis=0)).sum(axis=1).mean()))  # of an even square
    return MOUNT.relief_m * (1.0 - registered.agreement) / edge_m


def _weights(mount: MountEstimate, poses: Sequence[Pose | None]) -> FloatArray:  # (A,)
    """Weigh the accounts by how well each foretold the frame; one under which there is no pose is out."""
    foretold = np.array([-math.inf if pose is None else pose.log_evidence for pose in poses])
    if not np.isfinite(foretold).any():
        return mount.weights
    likelihood = np.exp(MOUNT.evidence_share * (foretold - foretold.max()))
    weights = mount.weights * likelihood
    total = float(weights.sum())
    return weights / total if total > 0.0 else mount.weights
