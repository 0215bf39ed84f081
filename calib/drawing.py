"""Lines, dots, text and frames for the calibrations' pictures: OpenCV alone, for a device has no matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import SkyfixError
from runtime.files import whole_file
from runtime.types import FloatArray, Picture

Colour = tuple[int, int, int]  # BGR, as OpenCV writes them

MARGIN_PX, HEAD_PX = 24, 88
PAPER: Colour = (255, 255, 255)
INK: Colour = (40, 36, 32)
FAINT: Colour = (190, 186, 182)
RED: Colour = (70, 70, 225)
BLUE: Colour = (170, 110, 30)
SUBPIXEL_BITS = 4


def write_picture(picture: Picture, path: Path) -> None:
    """Write a PNG whole; raises SkyfixError."""
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise SkyfixError(f"{path} could not be encoded")
    with whole_file(path) as partial:
        partial.write_bytes(data.tobytes())


def headed(panel: Picture, lines: Sequence[str]) -> Picture:
    """Return a panel with a margin and up to two lines above it."""
    sides = (HEAD_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
    framed = np.asarray(cv2.copyMakeBorder(panel, *sides, cv2.BORDER_CONSTANT, value=PAPER), np.uint8)
    for i, text in enumerate(lines):
        write(framed, text, (MARGIN_PX, 36 + 28 * i), INK, 0.55 if i == 0 else 0.47)
    return framed


def padded(panel: Picture, height: int) -> Picture:
    """Return a panel made as high as another."""
    below = height - panel.shape[0]
    return np.asarray(cv2.copyMakeBorder(panel, 0, below, 0, 0, cv2.BORDER_CONSTANT, value=PAPER), np.uint8)


def fixed(points: FloatArray) -> NDArray[np.int32]:
    """Return points in OpenCV's sub-pixel coordinates."""
    return np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)


def whole(point: FloatArray) -> tuple[int, int]:
    """Return the pixel that is nearest to a point."""
    return round(float(point[0])), round(float(point[1]))


def line(panel: Picture, start: FloatArray, end: FloatArray, colour: Colour, width_px: int = 1) -> None:
    """Draw a line between two points."""
    a, b = fixed(start).tolist(), fixed(end).tolist()
    cv2.line(panel, a, b, colour, width_px, cv2.LINE_AA, SUBPIXEL_BITS)


def dot(panel: Picture, at: FloatArray, radius_px: float, colour: Colour) -> None:
    """Draw a filled circle."""
    cv2.circle(panel, fixed(at).tolist(), round(radius_px * 16), colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def write(panel: Picture, text: str, at: tuple[int, int], colour: Colour = INK, size: float = 0.5) -> None:
    """Write a line of text; ``at`` is the left end of its base line."""
    cv2.putText(panel, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def mixed(colour: Colour, share: float) -> Colour:
    """Return a colour thinned with paper."""
    blue, green, red = (round(c * share + 255 * (1 - share)) for c in colour)
    return blue, green, red
