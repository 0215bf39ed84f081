"""Changes of light, season and sensor, as two dates and two cameras make them, drawn on its own for each view.

NumPy and OpenCV on bytes or on float32 in 0..1; about two milliseconds for a picture of 224 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist

import cv2
import numpy as np

from runtime.types import FloatImage, Picture

Light = FloatImage  # (H, H, 3) RGB, 0..1
Plane = FloatImage  # (H, H)
Rng = np.random.Generator
Change = Callable[[Light, Rng, float], Light]

_GRAIN = np.array([NormalDist().inv_cdf((k + 0.5) / 256) for k in range(256)], np.float32)  # unit spread from a byte
_LUSH_AND_DRY = np.array([(1.25, 1.05, 0.7), (1.2, 0.95, 0.75), (1.35, 1.25, 0.6), (0.7, 1.15, 0.6), (1.0, 1.0, 0.95)])


def augment(picture: Picture, rng: Rng, strength: float = 1.0) -> Picture:
    """Show the same ground on another day through another lens; ``strength`` 0 changes nothing, 1 is strong."""
    if strength <= 0:
        return picture
    if rng.random() < 0.35:
        picture = _objects(picture, rng)
    light: Light = np.multiply(picture, np.float32(1 / 255), dtype=np.float32)
    for chance, change in _CHANGES:
        if rng.random() < chance:
            light = change(light, rng, strength)
    out = np.asarray(cv2.addWeighted(light, 255.0, light, 0.0, 0.0, dtype=cv2.CV_8U), np.uint8)  # rounds, saturates
    if rng.random() < 0.4:
        out = _jpeg(out, rng)
    if rng.random() < 0.25:
        out = _erased(out, rng)
    return out


def _season(light: Light, rng: Rng, strength: float) -> Light:
    """Turn green brown, yellow or lusher; what is not green stays."""
    red, green, blue = _planes(light)
    share = np.clip((green - np.maximum(red * 0.95, blue)) * 8.0, 0.0, 1.0) * np.float32(strength * rng.uniform(0.3, 1))
    brightness = (red + green + blue) * np.float32(1 / 3)
    colour = _LUSH_AND_DRY[rng.integers(len(_LUSH_AND_DRY))] * rng.uniform(0.85, 1.15, 3)
    return _mixed([red, green, blue], [brightness * np.float32(c) for c in colour], share)


def _snow(light: Light, rng: Rng, strength: float) -> Light:
    """Lay snow or frost in patches; what stands out of it shows through a little."""
    grey = cv2.cvtColor(light, cv2.COLOR_RGB2GRAY)
    share = _patches(light.shape[0], int(rng.integers(2, 9)), rng) * np.float32(rng.uniform(0.5, 0.9) * strength)
    share *= np.clip(2.0 * grey + 0.2, 0.0, 1.0)  # woods and roads are the first to be free of it
    white = np.float32(rng.uniform(0.65, 0.8)) + np.float32(0.25) * grey
    return _mixed(_planes(light), [white, white, white], share)


def _cast_shadows(light: Light, rng: Rng, strength: float) -> Light:
    """Throw shadows of bright, tall-looking things along one direction, or weaken those that are there."""
    grey = cv2.GaussianBlur(cv2.cvtColor(light, cv2.COLOR_RGB2GRAY), (0, 0), 1.5)
    if rng.random() < 0.4:  # another sun: lift the dark parts that are there
        dark = np.clip((0.35 - grey) / 0.35, 0.0, 1.0) * np.float32(rng.uniform(0.2, 0.6) * strength)
        return _mixed(_planes(light), (0.45, 0.45, 0.45), dark)
    local = grey - cv2.blur(grey, (31, 31))
    things = np.asarray(local > rng.uniform(0.06, 0.15), np.uint8) * np.uint8(255)
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(3, 12) * light.shape[0] / 192
    thrown = np.zeros_like(things)
    for part in (0.35, 0.7, 1.0):
        move = np.array([[1, 0, np.cos(angle) * length * part], [0, 1, np.sin(angle) * length * part]], np.float32)
        thrown = np.maximum(thrown, cv2.warpAffine(things, move, things.shape[::-1]))
    shade = cv2.GaussianBlur(cv2.subtract(thrown, things), (0, 0), 0.8)
    return _dimmed(light, 1 - shade * np.float32(rng.uniform(0.25, 0.6) * strength / 255))


def _clouds(light: Light, rng: Rng, strength: float) -> Light:
    """Lay large soft shadows of clouds."""
    shade = _patches(light.shape[0], int(rng.integers(2, 5)), rng)
    return _dimmed(light, 1 - shade * np.float32(rng.uniform(0.2, 0.55) * strength))


def _haze(light: Light, rng: Rng, strength: float) -> Light:
    """Draw a veil of bluish grey, thicker on one side or rolling in banks."""
    side = light.shape[0]
    thickness = _ramp(side, rng) if rng.random() < 0.6 else _patches(side, int(rng.integers(2, 4)), rng)
    veil = np.array([0.8, 0.83, 0.88]) * rng.uniform(0.7, 1.1)
    share = np.float32(rng.uniform(0.05, 0.45) * strength) * (np.float32(0.6) + np.float32(0.4) * thickness)
    return _mixed(_planes(light), veil.tolist(), share)


def _tone(light: Light, rng: Rng, strength: float) -> Light:
    """Change exposure, contrast and gamma."""
    middle = light.mean()  # contrast turns about what is there, so that a dark wood is not crushed to black
    gamma = np.exp(rng.normal(0.0, 0.25 * strength) + rng.normal(0.0, 0.08 * strength, 3)).astype(np.float32)
    contrast = np.float32(np.exp(rng.normal(0.0, 0.22 * strength)))
    shift = (rng.normal(0.0, 0.08 * strength) + rng.normal(0.0, 0.03 * strength, 3)).astype(np.float32)
    levels = np.linspace(0.0, 1.0, 256, dtype=np.float32)[:, None]
    table = (levels**gamma - middle**gamma) * contrast + middle**gamma + shift  # (256, 3)
    index = cv2.addWeighted(light, 255.0, light, 0.0, 0.0, dtype=cv2.CV_8U)
    return np.asarray(cv2.LUT(index, np.clip(table, 0.0, 1.0)[None]), np.float32)


def _colour(light: Light, rng: Rng, strength: float) -> Light:
    """Change the balance of colours and their strength."""
    warm, tint = rng.normal(0.0, 0.12 * strength), rng.normal(0.0, 0.06 * strength)
    gain = np.exp(np.array([warm, tint, -warm]))
    saturation = 0.0 if rng.random() < 0.12 else rng.uniform(1 - 0.7 * strength, 1 + 0.6 * strength)
    grey = np.tile([0.299, 0.587, 0.114], (3, 1))
    leaks = rng.normal(0.0, 0.04 * strength, (3, 3))
    leaks -= leaks.mean(axis=1, keepdims=True)  # grey stays grey
    matrix = gain[:, None] * (grey + (np.eye(3) - grey) * saturation + leaks)
    return np.asarray(cv2.transform(light, matrix), np.float32)


def _vignette(light: Light, rng: Rng, strength: float) -> Light:
    """Darken the corners."""
    side = light.shape[0]
    x, y = (np.linspace(-1, 1, side, dtype=np.float32) - np.float32(rng.uniform(-0.4, 0.4)) for _ in range(2))
    radius2 = x * x + (y * y)[:, None]
    return _dimmed(light, 1 - np.float32(rng.uniform(0.05, 0.25) * strength) * radius2)


def _blur(light: Light, rng: Rng, strength: float) -> Light:
    """Blur by defocus, by motion, or to the pixels of a coarser map."""
    side = light.shape[0]
    scale, kind = side / 192, rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(light, (0, 0), 0.3 + rng.uniform(0.2, 1.8) * strength * scale), np.float32)
    if kind == 1:
        length = max(3, int(rng.uniform(3, 9) * strength * scale) | 1)
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1.0 / length
        turn = cv2.getRotationMatrix2D((length // 2, length // 2), rng.uniform(0, 180), 1.0)
        kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
        return np.asarray(cv2.filter2D(light, -1, kernel / max(float(kernel.sum()), 1e-3)), np.float32)
    coarse = max(8, int(side / rng.uniform(1.2, max(1.2, 1 + 1.8 * strength))))
    small = cv2.resize(light, (coarse, coarse), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _sharpen(light: Light, rng: Rng, strength: float) -> Light:
    """Give the over-sharpened look of processed satellite pictures."""
    soft = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.7, 2.0))
    by = rng.uniform(0.3, 1.5) * strength
    return np.asarray(cv2.addWeighted(light, 1 + by, soft, -by, 0.0), np.float32)


def _noise(light: Light, rng: Rng, strength: float) -> Light:
    """Add the noise of a sensor."""
    drawn = rng.integers(0, 1 << 64, -(-light.size // 8), np.uint64).view(np.uint8)  # eight bytes at a time
    grain = cv2.LUT(drawn[: light.size].reshape(light.shape), _GRAIN)
    return np.asarray(cv2.scaleAdd(grain, rng.uniform(0.005, 0.05) * strength, light), np.float32)


def _objects(picture: Picture, rng: Rng) -> Picture:
    """Park cars that come and go: small turned rectangles."""
    out: Picture = picture.copy()
    side = picture.shape[0]
    for _ in range(int(rng.integers(1, 13))):
        size = rng.uniform(0.012, 0.03, 2) * side * np.array([2.0, 1.0])
        box = cv2.boxPoints((tuple(rng.uniform(0, side, 2)), tuple(size), rng.uniform(0, 180)))
        colour = rng.integers(20, 245) * np.ones(3) + rng.integers(-15, 16, 3)
        cv2.fillConvexPoly(out, box.astype(np.int32), colour.clip(0, 255).tolist(), cv2.LINE_AA)
    return out


def _jpeg(picture: Picture, rng: Rng) -> Picture:
    """Leave the blocks of a compressed stream or a compressed map."""
    _, stream = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
    return np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR), np.uint8)


def _erased(picture: Picture, rng: Rng) -> Picture:
    """Put blocks in a colour of the scene: new buildings, dirt on the lens, a cloud."""
    out: Picture = picture.copy()
    side = picture.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        height, width = rng.integers(side // 12, side // 3, 2)
        y, x = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
        like = out[int(rng.integers(side)), int(rng.integers(side))].astype(np.int64)
        out[y : y + height, x : x + width] = np.clip(like + rng.integers(-40, 41, 3), 0, 255)
    return out


def _planes(light: Light) -> list[Plane]:
    """Split into red, green and blue."""
    return [np.asarray(plane, np.float32) for plane in cv2.split(light)]


def _mixed(
    planes: Sequence[Plane],  # red, green, blue
    others: Sequence[Plane | float],
    share: Plane,
) -> Light:
    """Mix ``others`` into a share of each pixel, by planes: several times faster than by pixels of three."""
    return np.asarray(cv2.merge([a + (np.float32(b) - a) * share for a, b in zip(planes, others, strict=True)]))


def _dimmed(light: Light, gain: Plane) -> Light:
    """Multiply all colours by a gain."""
    return np.asarray(cv2.multiply(light, cv2.merge([gain, gain, gain])), np.float32)


def _ramp(side: int, rng: Rng) -> Plane:
    """Draw (side, side) values 0..1 that rise along a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    along = np.linspace(-0.5, 0.5, side, dtype=np.float32) / np.float32(np.sqrt(2))
    return np.asarray(
        0.5 + np.float32(np.cos(angle)) * along + (np.float32(np.sin(angle)) * along)[:, None], np.float32
    )


def _patches(side: int, cells: int, rng: Rng) -> Plane:
    """Draw (side, side) values 0..1: soft patches, some ``cells`` across, that cover less or more."""
    coarse = rng.standard_normal((cells + 1, cells + 1), dtype=np.float32)
    edge, cover = np.float32(rng.uniform(4.0, 12.0)), np.float32(rng.uniform(-0.2, 0.6))
    field = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(1.0 / (1.0 + cv2.exp((cover - field) * edge)), np.float32)


# In the order in which they happen: the ground, the light, the air, the lens, the sensor.
_CHANGES: tuple[tuple[float, Change], ...] = (
    (0.5, _season),
    (0.05, _snow),
    (0.35, _cast_shadows),
    (0.3, _clouds),
    (0.25, _haze),
    (0.25, _vignette),
    (0.9, _tone),
    (0.7, _colour),
    (0.4, _blur),
    (0.25, _sharpen),
    (0.4, _noise),
)
