"""From an oblique frame to a north-up patch of flat ground, at a scale of our choosing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geo.camera import Camera, Orientation, ground_from_pixels, pixels_from_ground
from runtime.types import FloatArray, Picture

_SHARE_PX = 64  # fine enough to tell a share by
_MAX_SLANT = 3.0  # ground further than this many altitudes away is too coarse to be matched


@dataclass(frozen=True, slots=True)
class View:
    """A frame with what the aircraft believes of its camera: enough to lay it on the ground."""

    picture: Picture  # (H, W, 3) RGB, undistorted
    camera: Camera
    attitude: Orientation
    alt_agl_m: float

    def ground(self, pixels: FloatArray) -> FloatArray:
        """Return (N, 2) metres from the point under the camera that (N, 2) pixels see; NaN above the horizon."""
        return ground_from_pixels(self.camera, self.attitude, self.alt_agl_m, pixels)


@dataclass(frozen=True, slots=True)
class Patch:
    """North-up ground as a frame saw it."""

    picture: Picture  # (side, side, 3) RGB
    seen: NDArray[np.bool_]  # (side, side)
    centre_en_m: tuple[float, float]  # from the point under the camera, by the nominal attitude
    side_m: float

    @property
    def metres_per_px(self) -> float:
        return self.side_m / len(self.picture)

    def ground_from_patch(self) -> FloatArray:
        """Return (3, 3) affine from patch pixels (u, v, 1) to metres east and north of the point under the camera."""
        return _ground_from_patch(self.centre_en_m, self.side_m, len(self.picture))

    def sees(self, ground_en_m: FloatArray) -> NDArray[np.bool_]:  # (N,)
        """Tell which of (N, 2) places were seen."""
        homogeneous = np.column_stack([ground_en_m, np.ones(len(ground_en_m))])
        pixel = np.rint(homogeneous @ np.linalg.inv(self.ground_from_patch()).T)[:, :2].astype(int)
        inside = ((pixel >= 0) & (pixel < len(self.seen))).all(axis=1)
        column, row = np.where(inside[:, None], pixel, 0).T
        return np.asarray(inside & self.seen[row, column])


def _ground_from_patch(centre_en_m: tuple[float, float], side_m: float, side_px: int) -> FloatArray:
    step = side_m / side_px
    edge = (side_px - 1) / 2  # pixel centres at whole numbers
    east, north = centre_en_m
    return np.array([[step, 0.0, east - edge * step], [0.0, -step, north + edge * step], [0.0, 0.0, 1.0]])


def rectify(view: View, centre_en_m: tuple[float, float], side_m: float, side_px: int) -> Patch:
    """Lay a frame on flat ground: the square of ``side_m`` about ``centre_en_m``, north up."""
    to_ground = _ground_from_patch(centre_en_m, side_m, side_px)
    picture, camera = _shrunk(view, centre_en_m, side_m / side_px)
    homography = pixels_from_ground(camera, view.attitude, view.alt_agl_m) @ to_ground
    size = (side_px, side_px)
    patch = cv2.warpPerspective(picture, homography, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return Patch(np.asarray(patch, np.uint8), _seen(homography, camera, side_px), centre_en_m, side_m)


def seen_share(view: View, centre_en_m: tuple[float, float], side_m: float) -> float:
    """Return how much of a square of ground the frame sees, 0 to 1."""
    to_ground = _ground_from_patch(centre_en_m, side_m, _SHARE_PX)
    homography = pixels_from_ground(view.camera, view.attitude, view.alt_agl_m) @ to_ground
    return float(_seen(homography, view.camera, _SHARE_PX).mean())


def _seen(homography: FloatArray, camera: Camera, side_px: int) -> NDArray[np.bool_]:
    """Return where a patch lies inside the frame and in front of the camera."""
    across = np.arange(side_px, dtype=np.float64)
    u, v, w = (row[0] * across[None, :] + row[1] * across[:, None] + row[2] for row in homography)
    inside: NDArray[np.bool_] = (
        (w > 0) & (u >= 0) & (u <= (camera.width_px - 1) * w) & (v >= 0) & (v <= (camera.height_px - 1) * w)
    )
    return inside


def _shrunk(view: View, centre_en_m: tuple[float, float], metres_per_px: float) -> tuple[Picture, Camera]:
    """Shrink the frame by area to about the patch's resolution, so that the warp does not alias."""
    slant_m = math.hypot(*centre_en_m, view.alt_agl_m)
    shrink = metres_per_px / (slant_m / float(view.camera.matrix[0, 0]))
    if shrink < 1.5:
        return view.picture, view.camera
    width = max(round(view.camera.width_px / shrink), 8)
    height = max(round(view.camera.height_px / shrink), 8)
    picture = cv2.resize(view.picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8), view.camera.resized(width, height)


def visible_outline(view: View) -> FloatArray | None:
    """Return (N, 2) ground outline of what the frame sees, cut at three altitudes away; None when it sees no ground."""
    width, height = view.camera.width_px - 1, view.camera.height_px - 1
    share = np.linspace(0.0, 1.0, 17)
    top = np.column_stack([share * width, np.zeros(17)])
    sides = np.column_stack([np.full(17, width), share * height])
    edge = np.vstack([top, sides, (width, height) - top, (width, height) - sides])
    ground = view.ground(edge)
    reach_m = _MAX_SLANT * view.alt_agl_m
    near = np.isfinite(ground).all(axis=1) & (np.hypot(*np.nan_to_num(ground).T) <= reach_m)
    return ground[near] if near.sum() >= 3 else None
