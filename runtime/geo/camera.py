"""A pinhole camera, its attitude, and what it sees of flat ground.

Camera axes are OpenCV's: x right, y down, z along the optical axis. Attitude is yaw-pitch-roll of an
airframe whose nose is the optical axis (aerospace order, Z-Y'-X''): pitch -90 looks straight down, 0 at
the horizon; yaw is clockwise from true north. Straight down, yaw is where the picture's top points.
Ground coordinates are metres east and north of the point under the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np

from runtime.types import FloatArray, Picture

_MAX_STRETCH = 0.01
_NED_FROM_CAMERA = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_ENU_FROM_NED = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


@dataclass(frozen=True, slots=True)
class Attitude:
    """Where the camera looks, degrees."""

    roll_deg: float
    pitch_deg: float
    yaw_deg: float

    def enu_from_camera(self) -> FloatArray:
        """Return (3, 3) rotation from camera axes to east-north-up."""
        roll, pitch, yaw = (math.radians(a) for a in (self.roll_deg, self.pitch_deg, self.yaw_deg))
        cr, sr, cp, sp, cy, sy = (
            math.cos(roll),
            math.sin(roll),
            math.cos(pitch),
            math.sin(pitch),
            math.cos(yaw),
            math.sin(yaw),
        )
        ned_from_body = np.array(
            [
                [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
                [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
                [-sp, cp * sr, cp * cr],
            ]
        )
        rotation: FloatArray = _ENU_FROM_NED @ ned_from_body @ _NED_FROM_CAMERA
        return rotation


@dataclass(frozen=True, slots=True)
class Camera:
    """Intrinsics in pixels, after the ROS ``camera_info`` convention (plumb_bob distortion)."""

    width_px: int
    height_px: int
    matrix: FloatArray  # (3, 3)
    distortion: FloatArray  # (5,) k1 k2 p1 p2 k3
    focal_sigma: float | None = None  # share of the focal length, one sigma; None: nominal, nobody measured it

    def takes(self, width_px: int, height_px: int) -> bool:
        """Tell whether a picture of this size can be the camera's; a resized one keeps its shape."""
        return abs(width_px / height_px / (self.width_px / self.height_px) - 1.0) <= _MAX_STRETCH

    def resized(self, width_px: int, height_px: int) -> Camera:
        """Return the camera of the same lens with pictures of another size (and the same shape)."""
        sx, sy = width_px / self.width_px, height_px / self.height_px
        # Pixel centres are at whole numbers, so a resize moves them by half a pixel.
        scale = np.array([[sx, 0.0, (sx - 1) / 2], [0.0, sy, (sy - 1) / 2], [0.0, 0.0, 1.0]])
        return replace(self, width_px=width_px, height_px=height_px, matrix=scale @ self.matrix)

    def zoomed(self, scale: float) -> Camera:
        """Return the camera of a lens whose focal length is ``scale`` times as long."""
        return replace(self, matrix=np.column_stack([self.matrix[:, :2] * scale, self.matrix[:, 2]]))

    def undistorted(self, picture: Picture) -> Picture:
        """Undistort a picture: return it as a lens without distortion would have taken it."""
        if not self.distortion.any():
            return picture
        return np.asarray(cv2.undistort(picture, self.matrix, self.distortion), np.uint8)

    def rays(self, pixels: FloatArray) -> FloatArray:
        """Return (N, 3) directions in camera axes of (N, 2) undistorted pixels."""
        homogeneous = np.column_stack([pixels, np.ones(len(pixels))])
        directions: FloatArray = homogeneous @ np.linalg.inv(self.matrix).T
        return directions


Orientation: TypeAlias = "Attitude | FloatArray"
"""An attitude, or the (3, 3) rotation from camera axes to east-north-up that it stands for."""


def rotation_of(orientation: Orientation) -> FloatArray:
    """Return (3, 3) rotation from camera axes to east-north-up."""
    return orientation.enu_from_camera() if isinstance(orientation, Attitude) else orientation


def angle_between(a: FloatArray, b: FloatArray) -> float:
    """Return the angle between two rotations (3, 3), radians."""
    return math.acos(min(max((float(np.trace(a.T @ b)) - 1.0) / 2.0, -1.0), 1.0))


def yaw_of(orientation: Orientation) -> float:
    """Return where the camera heads, degrees clockwise from north in 0 to 360, also when it looks straight down.

    Half-way between the optical axis and the picture's top: one of them always points along the ground.
    """
    rotation = rotation_of(orientation)
    east, north, _ = rotation[:, 2] - rotation[:, 1]
    return math.degrees(math.atan2(east, north)) % 360.0


def pixels_from_ground(camera: Camera, attitude: Orientation, height_m: float) -> FloatArray:
    """Return (3, 3) homography from ground (east, north, 1) to undistorted pixels; w > 0 in front of the camera."""
    ground_to_enu = np.diag([1.0, 1.0, -height_m])
    homography: FloatArray = camera.matrix @ rotation_of(attitude).T @ ground_to_enu
    return homography


def ground_from_pixels(camera: Camera, attitude: Orientation, height_m: float, pixels: FloatArray) -> FloatArray:
    """Return (N, 2) metres east and north at which (N, 2) pixels see the ground; NaN at and above the horizon."""
    directions = camera.rays(pixels) @ rotation_of(attitude).T
    down = -directions[:, 2:3]
    with np.errstate(divide="ignore", invalid="ignore"):
        ground: FloatArray = np.where(down > 1e-6, directions[:, :2] * (height_m / down), np.nan)
    return ground


def axis_ground(attitude: Orientation, height_m: float) -> tuple[float, float] | None:
    """Return metres east and north at which the optical axis meets the ground; None at and above the horizon."""
    east, north, up = rotation_of(attitude)[:, 2]
    if not up < -1e-6:
        return None
    return float(-east / up * height_m), float(-north / up * height_m)
