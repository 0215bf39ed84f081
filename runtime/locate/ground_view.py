"""A frame laid on the ground under one supposed heading."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from runtime.fix import NoFixReason
from runtime.frame import Frame, Telemetry
from runtime.geo.camera import Attitude, Camera, axis_ground, rotation_of
from runtime.geo.rectify import View, visible_outline
from runtime.locate.limits import FRAME, MOUNT
from runtime.locate.mount import MountEstimate, Uncertainty, first_uncertainty
from runtime.locate.offset import HEIGHT, SIZE, TURN
from runtime.locate.pose import rotation_from_vector
from runtime.types import FloatArray

UNKNOWN_HEADINGS_DEG = tuple(float(a) for a in range(0, 360, round(MOUNT.headings_apart_deg)))
"""Tried when the heading is unknown."""

_STEP = 1e-4  # for numeric derivatives, radians or of the logarithm


@dataclass(frozen=True, slots=True)
class GroundView(View):
    """A frame laid on the ground under one supposed heading; positions are metres from the point under the camera.

    The ground is taken as flat, also over a map with heights: retrieval's tiles are tens of metres apart, and the
    optical flow compares two frames that are wrong alike. What is registered is put on the terrain.
    """

    told: View  # by attitude, altitude and lens as they are told
    uncertainty: tuple[Uncertainty, ...]  # of what is told, by each account
    middle_en_m: tuple[float, float]  # of the ground that is seen
    side_m: float  # of a square about it that holds what is seen
    axis_en_m: tuple[float, float]  # where the optical axis meets the ground

    def axis_cov_m2(self, cov: FloatArray) -> FloatArray:
        """Return the covariance (2, 2) of where the axis meets the ground.

        ``cov`` (7, 7) is that of the offset; lens and bend do not move the axis.
        """
        moved = []
        for i in range(SIZE):
            offset = np.eye(SIZE)[i] * _STEP
            rotation = np.asarray(self.attitude) @ rotation_from_vector(offset[TURN])
            axis = axis_ground(rotation, self.alt_agl_m * math.exp(offset[HEIGHT]))
            moved.append(np.subtract(self.axis_en_m if axis is None else axis, self.axis_en_m) / _STEP)
        jacobian = np.column_stack(moved)
        return np.asarray(jacobian @ cov @ jacobian.T)


def unusable(frame: Frame, camera: Camera) -> NoFixReason | None:
    """Say why a frame cannot be used; None where it can."""
    return _unusable_picture(frame, camera) or unusable_telemetry(frame.telemetry)


def _unusable_picture(frame: Frame, camera: Camera) -> NoFixReason | None:
    if frame.picture.size == 0:
        return "unreadable_picture"
    height, width = frame.picture.shape[:2]
    if not camera.takes(width, height):
        return "other_camera"
    every = FRAME.contrast_every_px
    return None if float(frame.picture[::every, ::every].std()) >= FRAME.min_contrast else "blank_picture"


def unusable_telemetry(telemetry: Telemetry) -> NoFixReason | None:
    """Say why a frame cannot be laid on the ground; None where it can."""
    if not telemetry.alt_agl_m > 0:
        return "no_altitude"
    if math.isnan(telemetry.cam_pitch_deg):
        return "no_pitch"
    return None if telemetry.cam_pitch_deg <= FRAME.max_pitch_deg else "near_horizon"


def ground_views(frame: Frame, camera: Camera, mount: MountEstimate) -> list[GroundView]:
    """Lay a frame on the ground: one view where the heading is known, else one a supposed heading.

    A view that sees no ground is left out.
    """
    height, width = frame.picture.shape[:2]
    camera = camera if (width, height) == (camera.width_px, camera.height_px) else camera.resized(width, height)
    picture = camera.undistorted(frame.picture)
    yaw = frame.telemetry.cam_yaw_deg
    headings = UNKNOWN_HEADINGS_DEG if math.isnan(yaw) else (yaw,)
    made = (
        _ground_view(View(picture, camera, np.eye(3), 1.0), frame.telemetry, heading, mount) for heading in headings
    )
    return [view for view in made if view is not None]


def _ground_view(blank: View, telemetry: Telemetry, yaw_deg: float, mount: MountEstimate) -> GroundView | None:
    roll_known = not math.isnan(telemetry.cam_roll_deg)
    attitude = Attitude(telemetry.cam_roll_deg if roll_known else 0.0, telemetry.cam_pitch_deg, yaw_deg)
    told = replace(blank, attitude=attitude.enu_from_camera(), alt_agl_m=telemetry.alt_agl_m)
    rotation, height_m = mount.correct(rotation_of(told.attitude), told.alt_agl_m)
    yaw_known = not math.isnan(telemetry.cam_yaw_deg)
    uncertainty = first_uncertainty(
        rotation_of(told.attitude), roll_known=roll_known, yaw_known=yaw_known, focal_sigma=told.camera.focal_sigma
    )
    return _laid(View(told.picture, told.camera.zoomed(mount.focal_scale), rotation, height_m), told, uncertainty)


def relaid(view: GroundView, rotation: FloatArray, height_m: float) -> GroundView | None:
    """Lay a frame on the ground again, by a pose (3, 3) that was found; None where that sees no ground."""
    return _laid(View(view.picture, view.camera, rotation, height_m), view.told, view.uncertainty)


def _laid(view: View, told: View, uncertainty: tuple[Uncertainty, ...]) -> GroundView | None:
    outline, axis = visible_outline(view), axis_ground(view.attitude, view.alt_agl_m)
    if outline is None or axis is None:
        return None
    low, high = outline.min(axis=0), outline.max(axis=0)
    return GroundView(
        picture=view.picture,
        camera=view.camera,
        attitude=view.attitude,
        alt_agl_m=view.alt_agl_m,
        told=told,
        uncertainty=uncertainty,
        middle_en_m=(float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2),
        side_m=min(float((high - low).max()), FRAME.max_side_heights * view.alt_agl_m),
        axis_en_m=axis,
    )
