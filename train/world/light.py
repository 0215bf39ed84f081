"""Sun, sky, shadows, texture and the sensor: from a painted canvas to a picture."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.types import FloatImage, Picture
from train.world.canvas import Canvas
from train.world.covers import Date
from train.world.noise import fractal, grain

_BAND_ROWS = 256  # light is worked out in bands that stay in the processor's cache


class _Land(NamedTuple):
    """Noise over the whole picture, (H, W) each."""

    texture: FloatImage
    tint: FloatImage
    warmth: FloatImage
    rise_east: FloatImage  # slope of gentle hills
    rise_south: FloatImage


def lit(canvas: Canvas, date: Date, seed: int) -> Picture:
    """Light the canvas as on ``date``; hills and large patches come from ``seed`` alone, fine texture does not."""
    land = _land(canvas, seed, date)
    sun, around = sunlit(canvas.height, canvas.gsd_m, date), _surroundings(canvas.height, canvas.gsd_m)
    picture = np.empty((*canvas.shape, 3), np.uint8)
    for first in range(0, canvas.shape[0], _BAND_ROWS):
        at = slice(first, min(first + _BAND_ROWS, canvas.shape[0]))
        halo = slice(max(first - 1, 0), at.stop + 1)  # slopes look at their neighbours
        slopes = _slopes(canvas.height[halo], land.rise_east[halo], land.rise_south[halo], canvas.gsd_m)
        shade = shading(slopes, date)[at.start - halo.start :][: at.stop - at.start] * sun[at]
        hidden = np.clip((around[at] - canvas.height[at]) / 7, 0, 1)
        rough = canvas.rough[at].astype(np.float32)
        tone = 1 + rough * (np.float32(0.0045) * land.texture[at] + np.float32(0.0016) * land.tint[at])
        warm = rough * (np.float32(0.0009) * land.warmth[at])
        light = np.empty((*shade.shape, 3), np.float32)
        for k, warming in enumerate((1, 0.15, -0.6)):
            bright = date.sun[k] * shade + date.sky[k] * (1 - np.float32(0.6) * hidden)
            light[..., k] = canvas.colour[at][..., k] * (tone + warming * warm) * bright
        picture[at] = _sensed(light, date)
    return picture


def _land(canvas: Canvas, seed: int, date: Date) -> _Land:
    """Draw the noise that makes the ground uneven, some of it lasting and some of the date."""
    lasting, passing = np.random.default_rng((seed, 5)), np.random.default_rng((seed, 6, date.seed))
    shape, gsd_m = canvas.shape, canvas.gsd_m
    texture = _coarse(shape, gsd_m, 9.0, lasting, step=4)
    texture *= 0.55
    cv2.scaleAdd(fractal(shape, gsd_m, 1.1, 3, passing), 0.5, texture, texture)
    cv2.scaleAdd(grain(shape, 0.8, passing), 0.35, texture, texture)
    tint, warmth, east, south = (_coarse(shape, gsd_m, scale_m, lasting) for scale_m in (90.0, 60.0, 60.0, 60.0))
    east *= 0.028
    south *= 0.028
    return _Land(texture, tint, warmth, east, south)


def _coarse(
    shape: tuple[int, int], gsd_m: float, scale_m: float, rng: np.random.Generator, *, step: int = 8
) -> FloatImage:
    """Draw slow noise, worked out on a grid of every ``step``-th pixel."""
    small = fractal((shape[0] // step + 1, shape[1] // step + 1), gsd_m * step, scale_m, 3, rng)
    return np.asarray(cv2.resize(small, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _surroundings(height: FloatImage, gsd_m: float) -> FloatImage:
    """Return the mean height within about 2.5 m, from a coarse grid: what stands around hides the sky."""
    step = max(1, round(0.75 / gsd_m))
    small = cv2.resize(height, (height.shape[1] // step, height.shape[0] // step), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 2.5 / (gsd_m * step))
    return np.asarray(cv2.resize(small, height.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _slopes(
    height: FloatImage, rise_east: FloatImage, rise_south: FloatImage, gsd_m: float
) -> tuple[FloatImage, FloatImage]:
    """Return rise over run eastwards and southwards; walls, where the height jumps from the ground, count as flat."""
    beside = np.ones((3, 3), np.uint8)
    foot = cv2.erode(height, beside)
    walls = (foot < 0.3) & (cv2.dilate(height, beside) - foot > 0.6)
    east, south = (
        np.asarray(cv2.Sobel(height, cv2.CV_32F, dx, dy, ksize=3, scale=1 / (8 * gsd_m)), np.float32)
        for dx, dy in ((1, 0), (0, 1))
    )
    east[walls] = south[walls] = 0
    return np.clip(east + rise_east, -1.4, 1.4), np.clip(south + rise_south, -1.4, 1.4)


def shading(slopes: tuple[FloatImage, FloatImage], date: Date) -> FloatImage:
    """Return the sunlight on slopes (rise over run eastwards and southwards), 1 on the flat: Lambert's cosine."""
    azimuth, elevation = math.radians(date.sun_azimuth_deg), math.radians(date.sun_elevation_deg)
    east, south = slopes
    towards_sun = math.sin(azimuth) * east - math.cos(azimuth) * south
    facing = (1 - towards_sun / math.tan(elevation)) / np.sqrt(1 + east * east + south * south)
    return np.asarray(np.clip(facing, 0.0, 1.6), np.float32)


def sunlit(height: FloatImage, gsd_m: float, date: Date) -> FloatImage:
    """Return 1 in the sun, 0 in shadow, soft between.

    ``horizon`` is the highest that anything towards the sun reaches over a pixel, lowered by the sun's slope on the
    way. Its reach doubles each round: what two pixels see lies twice as far.
    """
    size = round(height.shape[1] * gsd_m / 0.25), round(height.shape[0] * gsd_m / 0.25)
    small = np.asarray(cv2.resize(height, size, interpolation=cv2.INTER_AREA), np.float32)
    azimuth, drop_m = math.radians(date.sun_azimuth_deg), 0.25 * math.tan(math.radians(date.sun_elevation_deg))
    horizon = _towards(small, azimuth, 1) - np.float32(drop_m)
    reach = 1
    while reach * drop_m < float(small.max()):
        horizon = np.maximum(horizon, _towards(horizon, azimuth, reach) - np.float32(reach * drop_m))
        reach *= 2
    light = np.clip(1 - (horizon - small - 0.15) / 0.5, 0, 1)
    return np.asarray(cv2.resize(light, height.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _towards(image: FloatImage, azimuth_rad: float, step_px: int) -> FloatImage:
    """Return, at each pixel, the value ``step_px`` towards the sun; 0 beyond the edge."""
    dx, dy = math.sin(azimuth_rad) * step_px, -math.cos(azimuth_rad) * step_px
    matrix = np.array([[1, 0, dx], [0, 1, dy]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, image.shape[::-1], flags=flags), np.float32)


def _sensed(light: NDArray[np.floating], date: Date) -> Picture:
    """Turn the light of a band (h, w, 3) into the sensor's colours."""
    grey = light.mean(axis=-1, keepdims=True)
    light = grey + date.saturation * (light - grey)
    light = light * np.array(date.gain, np.float32) * (1 - date.haze) + date.haze * np.array(
        (196, 204, 214), np.float32
    )
    table = 255 * (np.arange(256) / 255) ** date.gamma
    return np.asarray(np.rint(table)[np.clip(light + 0.5, 0, 255).astype(np.uint8)], np.uint8)
