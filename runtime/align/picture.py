"""The residuals of an alignment, drawn: east to the right, north up, and the shift that they agree on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from runtime.align.residuals import Residual
from runtime.pictures import write_picture
from runtime.tiles.metadata import Alignment

_SIDE_PX, _TITLE_PX = 640, 40
_INK, _RING, _DOT, _SHIFT = (28, 28, 32), (205, 208, 214), (60, 120, 190), (214, 84, 40)


def draw_residuals(residuals: Sequence[Residual], alignment: Alignment, ce90_m: float, path: Path) -> None:
    """Draw a dot a fix, rings of metres, the shift as an arrow and the circle that holds 90%; raises SettingsError."""
    farthest_m = max(math.hypot(one.east_m, one.north_m) for one in residuals)
    step_m = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1e9) if step * 5 >= min(farthest_m, 400.0))
    scale = (_SIDE_PX / 2 - 20) / (5.5 * step_m)
    middle = np.array([_SIDE_PX / 2, _SIDE_PX / 2 + _TITLE_PX])

    def at(east_m: float, north_m: float) -> tuple[int, int]:
        x, y = np.rint(middle + np.array([east_m, -north_m]) * scale).astype(int).tolist()
        return x, y

    picture = np.full((_SIDE_PX + _TITLE_PX, _SIDE_PX, 3), 255, np.uint8)
    for ring in range(1, 6):
        cv2.circle(picture, at(0.0, 0.0), round(ring * step_m * scale), _RING, 1, cv2.LINE_AA)
        cv2.putText(
            picture, f"{ring * step_m:g} m", at(0.2 * step_m, (ring + 0.05) * step_m), 0, 0.4, _INK, 1, cv2.LINE_AA
        )
    for one in residuals:
        cv2.circle(picture, at(one.east_m, one.north_m), 3, _DOT, -1, cv2.LINE_AA)
    end = at(alignment.east_m, alignment.north_m)
    cv2.circle(picture, end, round(ce90_m * scale), _SHIFT, 2, cv2.LINE_AA)
    cv2.arrowedLine(picture, at(0.0, 0.0), end, _SHIFT, 2, cv2.LINE_AA)
    shift = f"{alignment.east_m:+.1f} m east, {alignment.north_m:+.1f} m north"
    text = f"{alignment.frames} fixes: {shift}; 90% within {ce90_m:.1f} m"
    cv2.putText(picture, text, (12, 26), 0, 0.55, _INK, 1, cv2.LINE_AA)
    write_picture(picture, path)
