"""A map tile and the rectified drone view of the same ground, rendered from one overhead picture.

On board, a frame is projected onto flat ground with the attitude and altitude that the autopilot states, and both
are a little wrong; so is what is known of the lens. Here the same chain runs backwards: patch pixel, camera pixel by
the nominal pose, ground by the true lens and pose, pixel of the picture, which is resampled once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geo.camera import Attitude, Camera, axis_ground, pixels_from_ground
from runtime.types import FloatArray, Mask, Picture
from train.data.source import Views
from train.data.view_spec import ViewSpec

Points = tuple[NDArray[np.float32], NDArray[np.float32]]  # columns and rows, (S, S) each

_FRAME_WIDTH_PX = 640  # only ratios matter: the frame itself is never drawn
MIN_SEEN = 0.75  # of a patch, by the frame
BESIDE = (0.45, 1.0)  # of a footprint; with the offsets of both tiles, still farther than any right one
_ATTEMPTS = 8


@dataclass(frozen=True)
class CameraPose:
    """A camera over flat ground, with its attitude and height."""

    camera: Camera
    attitude: Attitude
    height_m: float

    def frame_from_axis(self) -> FloatArray:
        """Return the (3, 3) homography to frame pixels from metres (east, north) around the optical axis' ground point.

        Raises ValueError where the axis does not meet the ground.
        """
        axis = axis_ground(self.attitude, self.height_m)
        if axis is None:
            raise ValueError(f"{self.attitude} does not look at the ground")
        return pixels_from_ground(self.camera, self.attitude, self.height_m) @ shift(*axis)


@dataclass(frozen=True)
class Ground:
    """Pictures of what is flown over and of what is mapped, pixel on pixel, about a middle."""

    flown: Picture
    mapped: Picture
    pixel_from_ground: FloatArray  # (3, 3) from metres (east, north) around the middle
    gsd_m: float


def render_views(
    chip: Picture,
    gsd_m: float,
    rng: np.random.Generator,
    *,
    side_px: int,
    spec: ViewSpec,
    mapped: Picture | None = None,
) -> Views:
    """Render tile and drone's view of a random footprint in ``chip``, both turned and mirrored alike.

    ``mapped`` is the same ground on another date, pixel on pixel: the tile is then of that date.
    """
    footprint_m, pixel_from_ground = _place_footprint(chip, gsd_m, rng, spec)
    ground = Ground(chip, chip if mapped is None else mapped, pixel_from_ground, gsd_m)
    return views_and_beside(ground, footprint_m, rng, side_px=side_px, spec=spec)


def views_and_beside(
    ground: Ground, footprint_m: float, rng: np.random.Generator, *, side_px: int, spec: ViewSpec
) -> Views:
    """Render the square about the middle and, where ``spec`` asks for it, one beside it at the same scale.

    In a cache the tiles next to the right one look most like it. Two random places never do.
    """
    views = views_of(ground, footprint_m, rng, side_px=side_px, spec=spec)
    if not spec.beside:
        return views
    away_m, towards = footprint_m * rng.uniform(*BESIDE), rng.uniform(0.0, 2 * math.pi)
    moved = ground.pixel_from_ground @ shift(away_m * math.cos(towards), away_m * math.sin(towards))
    beside = views_of(replace(ground, pixel_from_ground=moved), footprint_m, rng, side_px=side_px, spec=spec)
    return views._replace(beside=beside)


def views_of(ground: Ground, footprint_m: float, rng: np.random.Generator, *, side_px: int, spec: ViewSpec) -> Views:
    """Render the tile of a square about the middle, and a drone's view whose pose and lens are not quite as told.

    Beyond the picture the ground goes on, mirrored: grey is kept for what a camera did not see.
    """
    patch = patch_grid(footprint_m, side_px)
    nominal, true = _seeing_poses(footprint_m, rng, spec)
    frame, seen = frame_points(nominal.camera, nominal.frame_from_axis() @ patch, side_px)
    bent = _bent(nominal.camera, frame, rng.uniform(-spec.lens_error, spec.lens_error))
    east, north = rng.uniform(-spec.offset, spec.offset, 2) * footprint_m
    ground_from_frame = shift(east, north) @ np.linalg.inv(true.frame_from_axis())

    ground = _no_finer(ground, footprint_m / side_px)
    flown_from_frame, mapped_from_patch = ground.pixel_from_ground @ ground_from_frame, ground.pixel_from_ground @ patch
    drone = cv2.remap(ground.flown, *_through(flown_from_frame, bent), cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT_101)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (side_px, side_px)
    tile = cv2.warpPerspective(ground.mapped, mapped_from_patch, size, None, flags, cv2.BORDER_REFLECT_101)
    views = Views(np.asarray(drone, np.uint8), seen, np.asarray(tile, np.uint8))
    if not spec.warp:
        return views
    patch_from_frame = np.asarray(np.linalg.inv(patch) @ ground_from_frame, np.float64)
    return views._replace(tile_from_drone=np.stack(_through(patch_from_frame, bent), axis=-1))


def patch_grid(footprint_m: float, side_px: int) -> FloatArray:
    """Return the (3, 3) transform to metres (east, north) around the middle from pixels of a north-up square patch."""
    step, middle = footprint_m / side_px, (side_px - 1) / 2  # pixel centres are at whole numbers
    return np.array([[step, 0.0, -step * middle], [0.0, -step, step * middle], [0.0, 0.0, 1.0]])


def shift(east_m: float, north_m: float) -> FloatArray:
    """Return a (3, 3) translation by metres."""
    return np.array([[1.0, 0.0, east_m], [0.0, 1.0, north_m], [0.0, 0.0, 1.0]])


def turn(rng: np.random.Generator, most_rad: float) -> FloatArray:
    """Draw a (3, 3) turn up to ``most_rad``, quarters of a circle besides, mirrored or not: up must not mean north."""
    angle = rng.uniform(-most_rad, most_rad) + math.pi / 2 * rng.integers(4)
    mirror, c, s = rng.choice([-1.0, 1.0]), math.cos(angle), math.sin(angle)
    return np.array([[c * mirror, -s, 0.0], [s * mirror, c, 0.0], [0.0, 0.0, 1.0]])


def frame_points(camera: Camera, frame_from_patch: FloatArray, side_px: int) -> tuple[Points, Mask]:
    """Return where pixels of a patch lie in the frame, and whether that is before the camera and inside."""
    across = np.arange(side_px, dtype=np.float32)
    u, v, w = (
        np.float32(a) * across + (np.float32(b) * across + np.float32(c))[:, None] for a, b, c in frame_from_patch
    )
    ahead = w > 1e-6
    w = np.where(ahead, w, np.float32(1.0))
    x, y = u / w, v / w
    return (x, y), ahead & (x >= 0) & (x <= camera.width_px - 1) & (y >= 0) & (y <= camera.height_px - 1)


def _bent(camera: Camera, points: Points, share: float) -> Points:
    """Move points of a frame as a lens does that pushes corners outwards by ``share`` of their distance."""
    cx, cy = camera.matrix[:2, 2].astype(np.float32)
    x, y = points[0] - cx, points[1] - cy
    by = np.float32(1.0) + np.float32(share / (cx * cx + cy * cy)) * (x * x + y * y)
    return x * by + cx, y * by + cy


def _through(homography: FloatArray, points: Points) -> Points:
    """Map points by a homography."""
    x, y = points
    u, v, w = (np.float32(a) * x + np.float32(b) * y + np.float32(c) for a, b, c in homography)
    w = np.where(np.abs(w) > 1e-6, w, np.float32(1.0))
    return u / w, v / w


def _place_footprint(chip: Picture, gsd_m: float, rng: np.random.Generator, spec: ViewSpec) -> tuple[float, FloatArray]:
    """Draw a footprint's side, and the homography to chip pixels from metres around its middle."""
    height_px, width_px = chip.shape[:2]
    extent_m = min(height_px, width_px) * gsd_m
    widest = 0.8 if spec.beside else 0.92  # the place beside must not be all mirrored ground
    low, high = min(spec.footprint_m[0], 0.6 * extent_m), min(spec.footprint_m[1], widest * extent_m)
    footprint_m = math.exp(rng.uniform(math.log(low), math.log(high)))
    # A square turned by a spans cos a + sin a of its side: how far it may turn is what fits into the chip.
    room = extent_m / footprint_m
    most_rad = math.pi / 4 - (math.acos(room / math.sqrt(2.0)) if room < math.sqrt(2.0) else 0.0)
    turned = turn(rng, most_rad)
    reach_px = footprint_m / gsd_m * np.abs(turned[0, :2]).sum() / 2
    middle = (rng.uniform(reach_px, size - reach_px) - 0.5 for size in (width_px, height_px))
    return footprint_m, shift(*middle) @ np.diag([1 / gsd_m, -1 / gsd_m, 1.0]) @ turned


def _seeing_poses(footprint_m: float, rng: np.random.Generator, spec: ViewSpec) -> tuple[CameraPose, CameraPose]:
    """Draw a nominal and a true pose whose nominal frame covers most of the patch."""
    for attempt in range(_ATTEMPTS):
        nominal, true = _random_poses(footprint_m, rng, spec, calm=attempt / _ATTEMPTS)
        _, seen = frame_points(nominal.camera, nominal.frame_from_axis() @ patch_grid(footprint_m, 16), 16)
        if seen.mean() >= MIN_SEEN:
            return nominal, true
    return _random_poses(footprint_m, rng, spec, calm=1.0)


def _random_poses(
    footprint_m: float, rng: np.random.Generator, spec: ViewSpec, calm: float
) -> tuple[CameraPose, CameraPose]:
    """Draw (nominal, true); ``calm`` 0..1 draws the camera up and towards straight down."""
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
    true = CameraPose(camera, attitude, distance_m * math.cos(math.radians(tilt)))

    roll, pitch = rng.uniform(-spec.tilt_error_deg, spec.tilt_error_deg, 2)
    yaw = rng.uniform(-spec.yaw_error_deg, spec.yaw_error_deg)
    stated = Attitude(attitude.roll_deg + roll, attitude.pitch_deg + pitch, attitude.yaw_deg + yaw)
    altitude = 1.0 + rng.uniform(-spec.altitude_error, spec.altitude_error)
    return replace(true, attitude=stated, height_m=true.height_m * altitude), true


def _no_finer(ground: Ground, metres_per_px: float) -> Ground:
    """Shrink the pictures by area to about what is asked for, where a bilinear warp alone would alias."""
    coarseness = metres_per_px / ground.gsd_m
    if coarseness < 1.5:
        return ground
    height, width = ground.flown.shape[:2]
    size = max(1, round(width / coarseness)), max(1, round(height / coarseness))
    sx, sy = size[0] / width, size[1] / height
    scale = np.array([[sx, 0.0, (sx - 1) / 2], [0.0, sy, (sy - 1) / 2], [0.0, 0.0, 1.0]])
    flown = np.asarray(cv2.resize(ground.flown, size, interpolation=cv2.INTER_AREA), np.uint8)
    mapped = flown
    if ground.mapped is not ground.flown:
        mapped = np.asarray(cv2.resize(ground.mapped, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Ground(flown, mapped, scale @ ground.pixel_from_ground, metres_per_px)
