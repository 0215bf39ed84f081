"""What a window shows the encoder, or why it is left out: a row of nothing would match every other nothing."""

from __future__ import annotations

import math
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.maps.imagery import Imagery
from runtime.model.preprocess import encoder_input
from runtime.tiles.windows import Window
from runtime.types import Picture

MIN_SEEN = 0.75  # of a window, or it is left out
MIN_CONTRAST = 2.0  # standard deviation in grey levels: less is a blank sheet
_CLOUD_SHARE = 0.9  # of a window: a roof or a yard has an edge somewhere
_CLOUD_LEAST = 205  # of the darkest channel
_CLOUD_TINT = 28  # between channels
_CLOUD_WARMTH = 6  # of red over blue: bright sand has more
_CLOUD_STEP = 6.0  # grey levels a pixel: seams of roofs, cracks, tracks in snow and tree tops are steeper


class LeftOut(Enum):
    """Why a window has no row."""

    MISSING = "missing"  # nodata, alpha, or beyond the map
    BLANK = "blank"
    CLOUDY = "cloudy"


def window_picture(imagery: Imagery, window: Window, side_px: int) -> Picture | LeftOut:
    """Return what the encoder reads for one window, (side_px, side_px, 3) RGB, or why it is left out."""
    return filter_window(*imagery.window(window.centre, window.side_m, side_px))


def filter_window(
    picture: Picture,  # (S, S, 3) RGB
    seen: NDArray[np.bool_],  # (S, S)
) -> Picture | LeftOut:
    """Judge a window that was read at the encoder's side: what the encoder reads, or why it is left out."""
    if not seen.mean() >= MIN_SEEN:
        return LeftOut.MISSING
    whole = bool(seen.all())
    mean, deviation = cv2.meanStdDev(picture, mask=None if whole else seen.astype(np.uint8))
    if not math.sqrt(float((deviation**2).mean() + mean.var())) >= MIN_CONTRAST:
        return LeftOut.BLANK
    if mean.min() >= _CLOUD_SHARE * _CLOUD_LEAST and is_cloud(picture, seen):
        return LeftOut.CLOUDY
    return encoder_input(picture, None if whole else seen, len(picture))


def is_cloud(
    picture: Picture,  # (S, S, 3) RGB
    seen: NDArray[np.bool_],  # (S, S)
) -> bool:
    """Tell whether nearly all that is seen is white and smooth."""
    darkest, lightest = picture.min(axis=2), picture.max(axis=2)
    cold = picture[..., 0].astype(np.int16) - picture[..., 2] <= _CLOUD_WARMTH
    white = (darkest >= _CLOUD_LEAST) & (lightest - darkest <= _CLOUD_TINT) & cold & seen
    least = _CLOUD_SHARE * int(seen.sum())
    if white.sum() < least:
        return False
    grey = cv2.GaussianBlur(picture[..., 1], (3, 3), 0).astype(np.float32)
    steps = [cv2.Scharr(grey, cv2.CV_32F, *along) / 32 for along in ((1, 0), (0, 1))]
    return int((white & (np.hypot(*steps) <= _CLOUD_STEP)).sum()) >= least
