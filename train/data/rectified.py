"""A map tile and the rectified drone view of the same ground, rendered from one overhead chip.

On board, a frame is projected onto flat ground with the attitude and altitude that the autopilot states, and both
are a little wrong. Here the same chain runs backwards: patch pixel, camera pixel by the nominal pose, ground by the
true pose, chip pixel; one homography and one warp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geo.camera import Attitude, Camera, axis_ground, pixels_from_ground
from train.data.source import Mask, Picture, Views

FloatArray = NDArray[np.float64]

_FRAME_WIDTH_PX = 640  # only ratios matter: the frame itself is never drawn
_MIN_SEEN = 0.75
_ATTEMPTS = 8


@dataclass(frozen=True)
class ViewSpec:
    """How views vary. Angles in degrees, lengths in metres."""

    footprint_m: tuple[float, float] = (45.0, 90.0)
    tilt_deg: float = 50.0  # from straight down
    yaw_error_deg: float = 15.0
    tilt_error_deg: float = 4.0  # of pitch, and of roll
    altitude_error: float = 0.15  # relative
    offset: float = 0.125  # of the footprint; a cache's stride is a quarter, so no tile is farther


@dataclass(frozen=True)
class Pose:
    """A camera over flat ground."""

    camera: Camera
    attitude: Attitude
    height_m: float

    def frame_from_axis(self) -> FloatArray:
        """(3, 3) frame pixels from metres (east, north) around the point where the optical axis meets the ground."""
        axis = axis_ground(self.attitude, self.height_m)
        if axis is None:
            raise ValueError(f"{self.attitude} does not look at the ground")
        return pixels_from_ground(self.camera, self.attitude, self.height_m) @ _shift(*axis)


def render_views(
    chip: Picture,
    gsd_m: float,
    rng: np.random.Generator,
    *,
    side_px: int,
    spec: ViewSpec,
    mapped: Picture | None = None,
) -> Views:
    """The tile and the drone's view of a random footprint in ``chip``, both turned and mirrored alike.

    ``mapped`` is the same ground on another date, pixel on pixel: the tile is then of that date.
    """
    footprint_m, chip_from_ground = _place_footprint(chip, gsd_m, rng, spec)
    ground_from_patch = patch_grid(footprint_m, side_px)
    nominal, true = _seeing_poses(footprint_m, rng, spec)
    frame_from_patch = nominal.frame_from_axis() @ ground_from_patch
    east, north = rng.uniform(-spec.offset, spec.offset, 2) * footprint_m
    ground_from_frame = _shift(east, north) @ np.linalg.inv(true.frame_from_axis())

    coarseness = footprint_m / side_px / gsd_m
    drone = _warp(chip, chip_from_ground @ ground_from_frame @ frame_from_patch, side_px, coarseness)
    tile = _warp(chip if mapped is None else mapped, chip_from_ground @ ground_from_patch, side_px, coarseness)
    return Views(drone, seen_by(nominal.camera, frame_from_patch, side_px), tile)


def patch_grid(footprint_m: float, side_px: int) -> FloatArray:
    """(3, 3) metres (east, north) around the middle from pixels of a north-up square patch."""
    step, middle = footprint_m / side_px, (side_px - 1) / 2  # pixel centres are at whole numbers
    return np.array([[step, 0.0, -step * middle], [0.0, -step, step * middle], [0.0, 0.0, 1.0]])


def seen_by(camera: Camera, frame_from_patch: FloatArray, side_px: int) -> Mask:
    """True for patch pixels that lie in front of the camera and inside its frame."""
    across = np.arange(side_px, dtype=np.float64)
    x, y = np.meshgrid(across, across)
    u, v, w = np.einsum("ij,jhw->ihw", frame_from_patch, np.stack([x, y, np.ones_like(x)]))
    inside = (u >= 0) & (u <= (camera.width_px - 1) * w) & (v >= 0) & (v <= (camera.height_px - 1) * w)
    return np.asarray(inside & (w > 0), np.bool_)


def _place_footprint(chip: Picture, gsd_m: float, rng: np.random.Generator, spec: ViewSpec) -> tuple[float, FloatArray]:
    """A footprint's side and the homography to chip pixels from metres around its middle."""
    height_px, width_px = chip.shape[:2]
    extent_m = min(height_px, width_px) * gsd_m
    low, high = min(spec.footprint_m[0], 0.6 * extent_m), min(spec.footprint_m[1], 0.92 * extent_m)
    footprint_m = math.exp(rng.uniform(math.log(low), math.log(high)))
    # A square turned by a spans cos a + sin a of its side: how far it may turn is what fits into the chip.
    room = extent_m / footprint_m
    turn_max = 45.0 if room >= math.sqrt(2.0) else 45.0 - math.degrees(math.acos(room / math.sqrt(2.0)))
    turn = math.radians(rng.uniform(-turn_max, turn_max))
    reach_px = footprint_m / gsd_m * (math.cos(turn) + abs(math.sin(turn))) / 2
    centre = [rng.uniform(reach_px, size - reach_px) - 0.5 for size in (width_px, height_px)]
    turn += math.pi / 2 * rng.integers(4)  # north-up must not mean the chip's own up
    mirror = rng.choice([-1.0, 1.0])
    c, s = math.cos(turn) / gsd_m, math.sin(turn) / gsd_m
    return footprint_m, np.array([[c * mirror, -s, centre[0]], [-s * mirror, -c, centre[1]], [0.0, 0.0, 1.0]])


def _seeing_poses(footprint_m: float, rng: np.random.Generator, spec: ViewSpec) -> tuple[Pose, Pose]:
    """A nominal and a true pose whose nominal frame covers most of the patch."""
    for attempt in range(_ATTEMPTS):
        nominal, true = _random_poses(footprint_m, rng, spec, calm=attempt / _ATTEMPTS)
        coarse = seen_by(nominal.camera, nominal.frame_from_axis() @ patch_grid(footprint_m, 16), 16)
        if coarse.mean() >= _MIN_SEEN:
            return nominal, true
    return _random_poses(footprint_m, rng, spec, calm=1.0)


def _random_poses(footprint_m: float, rng: np.random.Generator, spec: ViewSpec, calm: float) -> tuple[Pose, Pose]:
    """(nominal, true); ``calm`` 0..1 draws the camera up and towards straight down."""
    half_view = math.radians(rng.uniform(55.0, 85.0)) / 2
    focal_px = _FRAME_WIDTH_PX / 2 / math.tan(half_view)
    height_px = round(_FRAME_WIDTH_PX * rng.choice([9 / 16, 3 / 4]))
    matrix = np.array(
        [[focal_px, 0.0, (_FRAME_WIDTH_PX - 1) / 2], [0.0, focal_px, (height_px - 1) / 2], [0.0, 0.0, 1.0]]
    )
    camera = Camera(_FRAME_WIDTH_PX, height_px, matrix, np.zeros(5))

    # Two flights in five look straight down; the others lean ahead as far as cameras do.
    leaning = rng.uniform(0.0, spec.tilt_deg) if rng.random() >= 0.4 else min(abs(rng.normal(0.0, 4.0)), spec.tilt_deg)
    tilt = leaning * (1.0 - calm)
    attitude = Attitude(rng.normal(0.0, 2.0), -90.0 + tilt, rng.uniform(0.0, 360.0))
    # Width of the frame on the ground, at the distance of the optical axis, in footprints.
    frame_widths = rng.uniform(1.05, 2.4) * (1.0 - calm) + 2.6 * calm
    distance_m = frame_widths * footprint_m / (2 * math.tan(half_view))
    true = Pose(camera, attitude, distance_m * math.cos(math.radians(tilt)))

    roll, pitch = rng.uniform(-spec.tilt_error_deg, spec.tilt_error_deg, 2)
    yaw = rng.uniform(-spec.yaw_error_deg, spec.yaw_error_deg)
    stated = Attitude(attitude.roll_deg + roll, attitude.pitch_deg + pitch, attitude.yaw_deg + yaw)
    altitude = 1.0 + rng.uniform(-spec.altitude_error, spec.altitude_error)
    return replace(true, attitude=stated, height_m=true.height_m * altitude), true


def _shift(east_m: float, north_m: float) -> FloatArray:
    return np.array([[1.0, 0.0, east_m], [0.0, 1.0, north_m], [0.0, 0.0, 1.0]])


def _warp(chip: Picture, chip_from_patch: FloatArray, side_px: int, coarseness: float) -> Picture:
    """The patch; ``coarseness`` is its pixel in pixels of the chip.

    Beyond the chip the ground goes on, mirrored: grey is kept for what a camera did not see.
    """
    if coarseness >= 1.5:  # a bilinear warp alone would alias
        size = max(1, round(chip.shape[1] / coarseness)), max(1, round(chip.shape[0] / coarseness))
        sx, sy = size[0] / chip.shape[1], size[1] / chip.shape[0]
        scale = np.array([[sx, 0.0, (sx - 1) / 2], [0.0, sy, (sy - 1) / 2], [0.0, 0.0, 1.0]])
        chip_from_patch = scale @ chip_from_patch
        chip = np.asarray(cv2.resize(chip, size, interpolation=cv2.INTER_AREA), np.uint8)
    warped = cv2.warpPerspective(
        chip,
        chip_from_patch,
        (side_px, side_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped, np.uint8)
