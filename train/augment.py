"""What two dates, two cameras and two seasons do to one place, drawn independently for each view.

NumPy and OpenCV on bytes or on float32 in 0..1; a few milliseconds for a picture of 192 pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Light = NDArray[np.float32]  # (H, W, 3) RGB, 0..1
Rng = np.random.Generator
Change = Callable[[Light, Rng, float], Light]


def augment(picture: Picture, rng: Rng, strength: float = 1.0) -> Picture:
    """The same ground on another day through another lens; ``strength`` 0 changes nothing, 1 is strong."""
    if strength <= 0:
        return picture
    if rng.random() < 0.35:
        picture = _objects(picture, rng)
    light = picture.astype(np.float32) / 255.0
    for chance, change in _CHANGES:
        if rng.random() < chance:
            light = change(light, rng, strength)
    out: Picture = np.clip(light * 255.0 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        out = _jpeg(out, rng)
    if rng.random() < 0.25:
        out = _erased(out, rng)
    return out


def _season(light: Light, rng: Rng, strength: float) -> Light:
    """Green turns brown, yellow or lusher; what is not green stays."""
    red, green, blue = cv2.split(light)
    greenness = np.clip((green - np.maximum(red * 0.95, blue)) * 8.0, 0.0, 1.0)[..., None]
    brightness = light.mean(axis=2, keepdims=True)
    palette = np.array([(1.25, 1.05, 0.7), (1.2, 0.95, 0.75), (1.35, 1.25, 0.6), (0.7, 1.15, 0.6), (1.0, 1.0, 0.95)])
    colour = palette[rng.integers(len(palette))] * rng.uniform(0.85, 1.15, 3)
    mixed = greenness * strength * rng.uniform(0.3, 1.0)
    return np.asarray(light * (1 - mixed) + brightness * colour.astype(np.float32) * mixed, np.float32)


def _tone(light: Light, rng: Rng, strength: float) -> Light:
    """Gamma, contrast and brightness, a little of it of its own in each channel."""
    middle = light.mean()  # contrast turns about what is there, so that a dark wood is not crushed to black
    gamma = np.exp(rng.normal(0.0, 0.25 * strength) + rng.normal(0.0, 0.08 * strength, 3)).astype(np.float32)
    contrast = np.float32(np.exp(rng.normal(0.0, 0.22 * strength)))
    shift = (rng.normal(0.0, 0.08 * strength) + rng.normal(0.0, 0.03 * strength, 3)).astype(np.float32)
    levels = np.linspace(0.0, 1.0, 256, dtype=np.float32)[:, None]
    table = (levels**gamma - middle**gamma) * contrast + middle**gamma + shift  # (256, 3)
    index = np.clip(light * 255.0, 0, 255).astype(np.uint8)
    return np.asarray(np.clip(cv2.LUT(index, table[None]), 0.0, 1.0), np.float32)


def _colour(light: Light, rng: Rng, strength: float) -> Light:
    """Colour temperature, tint and saturation, down to grey."""
    warm, tint = rng.normal(0.0, 0.12 * strength), rng.normal(0.0, 0.06 * strength)
    gain = np.exp(np.array([warm, tint, -warm])).astype(np.float32)
    grey = cv2.cvtColor(light, cv2.COLOR_RGB2GRAY)[..., None]
    saturation = np.float32(0.0 if rng.random() < 0.12 else rng.uniform(1 - 0.7 * strength, 1 + 0.6 * strength))
    return np.asarray(np.clip((grey + (light - grey) * saturation) * gain, 0.0, 1.0), np.float32)


def _haze(light: Light, rng: Rng, strength: float) -> Light:
    """A veil of bluish grey, thicker on one side."""
    veil = np.array([0.8, 0.83, 0.88], np.float32) * np.float32(rng.uniform(0.7, 1.1))
    slope = _ramp(light.shape[0], rng)
    depth = (rng.uniform(0.05, 0.45) * strength * (0.6 + 0.4 * slope))[..., None].astype(np.float32)
    return np.asarray(light * (1 - depth) + veil * depth, np.float32)


def _clouds(light: Light, rng: Rng, strength: float) -> Light:
    """Large soft shadows of clouds."""
    field = _smooth_field(light.shape[0], int(rng.integers(2, 5)), rng)
    shade = 1.0 / (1.0 + np.exp(-rng.uniform(4.0, 12.0) * (field - rng.uniform(-0.2, 0.6))))
    dark = (1.0 - rng.uniform(0.2, 0.55) * strength * shade)[..., None].astype(np.float32)
    return np.asarray(light * dark, np.float32)


def _cast_shadows(light: Light, rng: Rng, strength: float) -> Light:
    """Shadows of bright, tall-looking things, thrown along one direction; or the scene's own made weaker."""
    grey = cv2.GaussianBlur(cv2.cvtColor(light, cv2.COLOR_RGB2GRAY), (0, 0), 1.5)
    if rng.random() < 0.4:  # another sun: lift the dark parts that are there
        dark = np.clip((0.35 - grey) / 0.35, 0.0, 1.0)[..., None] * rng.uniform(0.2, 0.6) * strength
        return np.asarray(light + (0.45 - light) * dark, np.float32)
    local = grey - cv2.blur(grey, (31, 31))
    things = (local > rng.uniform(0.06, 0.15)).astype(np.float32)
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(3, 12) * light.shape[0] / 192
    thrown = np.zeros_like(things)
    for part in (0.35, 0.7, 1.0):
        move = np.array([[1, 0, np.cos(angle) * length * part], [0, 1, np.sin(angle) * length * part]], np.float32)
        thrown = np.maximum(thrown, cv2.warpAffine(things, move, things.shape[::-1]))
    shade = cv2.GaussianBlur(np.clip(thrown - things, 0, 1), (0, 0), 0.8)[..., None]
    return np.asarray(light * (1 - shade * rng.uniform(0.25, 0.6) * strength), np.float32)


def _blur(light: Light, rng: Rng, strength: float) -> Light:
    """Defocus, motion, or the pixels of a coarser map."""
    scale = light.shape[0] / 192
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(light, (0, 0), 0.3 + rng.uniform(0.2, 1.8) * strength * scale), np.float32)
    if kind == 1:
        length = max(3, int(rng.uniform(3, 9) * strength * scale) | 1)
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1.0 / length
        turn = cv2.getRotationMatrix2D((length // 2, length // 2), rng.uniform(0, 180), 1.0)
        kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
        return np.asarray(cv2.filter2D(light, -1, kernel / max(float(kernel.sum()), 1e-3)), np.float32)
    side = light.shape[0]
    coarse = max(8, int(side / rng.uniform(1.2, 1 + 1.8 * strength)))
    small = cv2.resize(light, (coarse, coarse), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _sharpen(light: Light, rng: Rng, strength: float) -> Light:
    """The over-sharpened look of processed satellite pictures."""
    soft = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.7, 2.0))
    return np.asarray(np.clip(light + (light - soft) * rng.uniform(0.3, 1.5) * strength, 0.0, 1.0), np.float32)


def _noise(light: Light, rng: Rng, strength: float) -> Light:
    """Sensor noise."""
    grain = rng.standard_normal(light.shape, dtype=np.float32)
    return np.asarray(light + grain * np.float32(rng.uniform(0.005, 0.05) * strength), np.float32)


def _objects(picture: Picture, rng: Rng) -> Picture:
    """Parked cars that come and go: small turned rectangles."""
    out: Picture = picture.copy()
    side = picture.shape[0]
    for _ in range(int(rng.integers(1, 13))):
        size = rng.uniform(0.012, 0.03, 2) * side * np.array([2.0, 1.0])
        box = cv2.boxPoints((tuple(rng.uniform(0, side, 2)), tuple(size), rng.uniform(0, 180)))
        colour = rng.integers(20, 245) * np.ones(3) + rng.integers(-15, 16, 3)
        cv2.fillConvexPoly(out, box.astype(np.int32), colour.clip(0, 255).tolist(), cv2.LINE_AA)
    return out


def _jpeg(picture: Picture, rng: Rng) -> Picture:
    """Blocks of a compressed stream or a compressed map."""
    _, stream = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
    return np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR), np.uint8)


def _erased(picture: Picture, rng: Rng) -> Picture:
    """New buildings, dirt on the lens, a cloud: a block in a colour of the scene."""
    out: Picture = picture.copy()
    side = picture.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        height, width = rng.integers(side // 12, side // 3, 2)
        y, x = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
        like = out[int(rng.integers(side)), int(rng.integers(side))].astype(np.int64)
        out[y : y + height, x : x + width] = np.clip(like + rng.integers(-40, 41, 3), 0, 255)
    return out


def _ramp(side: int, rng: Rng) -> NDArray[np.float64]:
    """(side, side) 0..1 rising along a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    along = np.linspace(-0.5, 0.5, side)
    return np.asarray(0.5 + (np.cos(angle) * along[None] + np.sin(angle) * along[:, None]) / np.sqrt(2), np.float64)


def _smooth_field(side: int, cells: int, rng: Rng) -> NDArray[np.float32]:
    """(side, side) smooth noise of about unit spread."""
    coarse = rng.standard_normal((cells + 1, cells + 1), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


# In the order in which they happen: the ground, the light, the air, the lens, the sensor.
_CHANGES: tuple[tuple[float, Change], ...] = (
    (0.5, _season),
    (0.35, _cast_shadows),
    (0.3, _clouds),
    (0.25, _haze),
    (0.9, _tone),
    (0.7, _colour),
    (0.4, _blur),
    (0.25, _sharpen),
    (0.4, _noise),
)
