"""A drone's view rendered from a georeferenced overhead picture.

On flat ground a view is one homography: pixels of the ground picture -> metres -> pixels of the camera
(:func:`runtime.geo.camera.pixels_from_ground`); on hills each pixel's ray meets the terrain. Buildings and trees lie
flat on it; a rendered view trains and tests geometry and appearance, not their parallax.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from runtime.geo.camera import Attitude, Camera, ground_from_pixels, pixels_from_ground
from runtime.geo.terrain import FLAT, Terrain
from runtime.model.preprocess import FILL
from runtime.types import FloatArray, FloatImage, Mask, Picture

_RAY_EVERY_PX = 8  # on hills: between them the ground is taken as straight
_MAX_SUPERSAMPLING = 4  # near the horizon a pixel sees any length of ground: more would not help there


@dataclass(frozen=True, slots=True)
class Optics:
    """A lens, a sensor and a movement, by what they do to a perfect picture; the default does nothing."""

    motion_px: float = 0.0  # length of the smear while the shutter is open
    motion_deg: float = 0.0  # its direction in the picture, anticlockwise from the x axis
    blur_px: float = 0.0  # standard deviation of the lens's blur
    exposure: float = 1.0  # gain
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)  # gains of red, green, blue
    vignette: float = 0.0  # fraction of the light that the corners lose
    noise: float = 0.0  # standard deviation, grey levels of 255

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Optics:
        """Draw one plausible small camera in plausible light."""
        return cls(
            motion_px=float(rng.gamma(1.5, 0.8)),
            motion_deg=float(rng.uniform(0.0, 180.0)),
            blur_px=float(rng.uniform(0.0, 0.8)),
            exposure=float(rng.uniform(0.8, 1.2)),
            tint=(float(rng.uniform(0.93, 1.07)), 1.0, float(rng.uniform(0.93, 1.07))),
            vignette=float(rng.uniform(0.0, 0.3)),
            noise=float(rng.uniform(0.5, 4.0)),
        )


def render_view(
    ground: Picture,  # (H, W, 3) RGB, north up
    gsd_m: float,  # ground metres in one pixel of ``ground``
    centre_px: tuple[float, float],  # column and row of ``ground`` under the camera; whole numbers are pixel centres
    *,
    camera: Camera,
    attitude: Attitude,
    alt_agl_m: float,
    rng: np.random.Generator,
    optics: Optics | None = None,
    terrain: Terrain = FLAT,  # about the point under the camera
) -> Picture:  # (camera.height_px, camera.width_px, 3) RGB
    """Render the picture that a drone would take above ``centre_px``.

    Sky, and ground that ``ground`` does not hold, are ``FILL`` grey. Where the view is coarser than the ground picture
    the latter is shrunk by area first, and the view is rendered larger and shrunk for what tilt leaves.

    Raises ValueError for a camera with distortion, a camera under the ground, or another type of picture.
    """
    _check(ground, gsd_m, camera, alt_agl_m)
    shrink, supersampling = _sampling(camera, attitude, alt_agl_m, gsd_m)
    metres_from_px = _metres_from_px(gsd_m, centre_px)
    if shrink > 1:
        rows, columns = ground.shape[0] // shrink, ground.shape[1] // shrink
        whole = ground[: rows * shrink, : columns * shrink]
        ground = np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
        half = (shrink - 1) / 2  # pixel centres are at whole numbers
        metres_from_px = metres_from_px @ np.array([[shrink, 0, half], [0, shrink, half], [0, 0, 1.0]])
    large = camera.resized(camera.width_px * supersampling, camera.height_px * supersampling)
    if terrain.is_level:
        view = _warp(ground, metres_from_px, large, attitude, alt_agl_m)
    else:
        view = _drape(ground, metres_from_px, large, attitude, alt_agl_m, terrain=terrain)
    if supersampling > 1:
        size = camera.width_px, camera.height_px
        view = np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)
    return expose(view, optics, rng) if optics is not None else view


def expose(view: Picture, optics: Optics, rng: np.random.Generator) -> Picture:  # both (H, W, 3)
    """Return ``view`` as it comes out of a real camera."""
    if optics.motion_px > 1.0:
        view = np.asarray(cv2.filter2D(view, -1, _smear(optics.motion_px, optics.motion_deg)), np.uint8)
    if optics.blur_px > 0.0:
        view = np.asarray(cv2.GaussianBlur(view, (0, 0), optics.blur_px), np.uint8)
    gain = _falloff(view.shape[0], view.shape[1], optics.vignette)[..., None] * np.float32(optics.exposure)
    light = view * (gain * np.array(optics.tint, np.float32))
    if optics.noise > 0.0:
        light += np.float32(optics.noise) * rng.standard_normal(view.shape, np.float32)
    return np.asarray(np.clip(light + 0.5, 0, 255), np.uint8)


def _check(ground: Picture, gsd_m: float, camera: Camera, alt_agl_m: float) -> None:
    """Raise ValueError for what cannot be rendered."""
    if ground.dtype != np.uint8 or ground.ndim != 3 or ground.shape[2] != 3:
        raise ValueError(f"ground picture is {ground.dtype} {ground.shape}; expected uint8 (H, W, 3)")
    if camera.distortion.any():
        raise ValueError("views are rendered without lens distortion; give a camera whose distortion is zero")
    if not (alt_agl_m > 0.0 and gsd_m > 0.0):
        raise ValueError(f"altitude {alt_agl_m} m and {gsd_m} m per pixel must be positive")


def _metres_from_px(gsd_m: float, centre_px: tuple[float, float]) -> FloatArray:
    """Return the (3, 3) transform from (column, row, 1) of the ground picture to metres around the camera's foot."""
    x, y = centre_px
    return np.array([[gsd_m, 0.0, -gsd_m * x], [0.0, -gsd_m, gsd_m * y], [0.0, 0.0, 1.0]])


def _sampling(camera: Camera, attitude: Attitude, alt_agl_m: float, gsd_m: float) -> tuple[int, int]:
    """Return how far the ground may shrink without loss, and how much larger to render so as not to alias."""
    across, down = np.meshgrid(np.linspace(0, camera.width_px - 1, 5), np.linspace(0, camera.height_px - 1, 5))
    pixels = np.column_stack([across.ravel(), down.ravel()])
    ground = ground_from_pixels(camera, attitude, alt_agl_m, pixels)
    steps = [
        ground_from_pixels(camera, attitude, alt_agl_m, pixels + step) - ground for step in ([1.0, 0.0], [0.0, 1.0])
    ]
    jacobian = np.stack(steps, axis=-1)  # (25, 2, 2) metres per view pixel
    jacobian = jacobian[np.isfinite(jacobian).all(axis=(1, 2))]
    if not len(jacobian):
        return 1, 1  # nothing but sky
    coarseness = np.linalg.svd(jacobian, compute_uv=False) / gsd_m
    shrink = max(1, math.floor(coarseness.min() / 2))  # half of what a pixel sees: interpolation blurs too
    return shrink, min(max(1, math.ceil(coarseness.max() / shrink - 0.25)), _MAX_SUPERSAMPLING)


def _warp(ground: Picture, metres_from_px: FloatArray, camera: Camera, attitude: Attitude, alt_agl_m: float) -> Picture:
    """Render the view of flat ground by one homography."""
    homography = pixels_from_ground(camera, attitude, alt_agl_m) @ metres_from_px
    size = camera.width_px, camera.height_px
    view = np.asarray(cv2.warpPerspective(ground, homography, size, borderValue=FILL), np.uint8)
    view[_sky(camera, attitude)] = FILL
    return view


def _drape(
    ground: Picture,
    metres_from_px: FloatArray,
    camera: Camera,
    attitude: Attitude,
    alt_agl_m: float,
    *,
    terrain: Terrain,
) -> Picture:
    """Render the view of a ground picture that lies on hills."""
    across, down = (np.arange(0.0, n + _RAY_EVERY_PX, _RAY_EVERY_PX) for n in (camera.width_px, camera.height_px))
    pixel = np.stack(np.meshgrid(across, down), axis=-1)
    rays = camera.rays(pixel.reshape(-1, 2)) @ attitude.enu_from_camera().T
    met = terrain.meet(np.zeros(2), alt_agl_m, rays)
    ground_px = np.column_stack([met, np.ones(len(met))]) @ np.linalg.inv(metres_from_px).T
    coarse = np.nan_to_num(ground_px[:, :2], nan=-1e4).reshape(pixel.shape).astype(np.float32)
    u, v = np.meshgrid(*(np.arange(n, dtype=np.float32) / _RAY_EVERY_PX for n in (camera.width_px, camera.height_px)))
    at = cv2.remap(coarse, u, v, cv2.INTER_LINEAR)
    view = cv2.remap(ground, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=FILL)
    view[_sky(camera, attitude)] = FILL
    return np.asarray(view, np.uint8)


def _sky(camera: Camera, attitude: Attitude) -> Mask:
    """Mark (H, W) the pixels at and above the horizon, where the homography shows the ground behind the camera."""
    up = attitude.enu_from_camera()[2] @ np.linalg.inv(camera.matrix)  # up component of a pixel's ray, linear in it
    upward = up[0] * np.arange(camera.width_px) + (up[1] * np.arange(camera.height_px) + up[2])[:, None]
    return np.asarray(upward > -1e-6, np.bool_)


def _smear(length_px: float, direction_deg: float) -> FloatImage:
    """Return a normalised line kernel of that length."""
    half = math.ceil(length_px / 2)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    along = np.linspace(-length_px / 2, length_px / 2, 8 * half + 1)
    angle = math.radians(direction_deg)
    x = np.rint(half + along * math.cos(angle)).astype(int)
    y = np.rint(half - along * math.sin(angle)).astype(int)
    np.add.at(kernel, (y, x), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _falloff(height_px: int, width_px: int, vignette: float) -> FloatImage:
    """Return (H, W) gains: 1 in the middle, ``1 - vignette`` in the corners, by the square of the radius."""
    y = np.linspace(-1, 1, height_px, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width_px, dtype=np.float32)
    falloff: FloatImage = 1 - np.float32(vignette) * (x * x + y * y) / 2
    return falloff
