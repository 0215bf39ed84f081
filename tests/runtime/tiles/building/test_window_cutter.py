"""A window is the same cut alone or from a raster shared with others."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.maps.imagery import Imagery
from runtime.tiles.building.window_cutter import WindowCutter
from runtime.tiles.windows import Grid
from runtime.types import Picture

SIDE_PX = 224


def shift_px(first: Picture, second: Picture) -> NDArray[np.float64]:
    """How far right and down the second shows what the first does, by their gradients; for less than a pixel."""
    a, b = (cv2.GaussianBlur(p[..., 1].astype(np.float64), (0, 0), 1.5) for p in (first, second))
    down, right = np.gradient(a)
    return np.linalg.lstsq(np.stack([right.ravel(), down.ravel()], axis=1), (a - b).ravel(), rcond=None)[0]


@pytest.mark.parametrize("stride_m", [8.0, 11.3, 32.0, 70.0])
def test_a_window_from_a_shared_raster_is_the_window_itself(stride_m: float, toy_tiles: Path) -> None:
    imagery = Imagery(toy_tiles.with_suffix(".mbtiles"))
    grid, bounds = Grid(0, 32.0, stride_m), imagery.bounds
    cutter = WindowCutter(imagery, grid, SIDE_PX)
    windows = [window for block in grid.blocks(bounds) for window in grid.windows(block, bounds)]
    for window in windows[:: max(len(windows) // 40, 1)]:
        picture, seen = cutter.cut(window)
        wanted, wanted_seen = imagery.window(window.centre, window.side_m, SIDE_PX)
        assert (seen != wanted_seen).mean() < 0.02
        both = seen & wanted_seen
        steps = sum(np.abs(step)[both].mean() for step in np.gradient(wanted.astype(np.float64), axis=(0, 1)))
        off = np.abs(picture[both].astype(int) - wanted[both]).mean()
        assert off <= 0.25 * steps, "what a quarter of a pixel makes of it"
        if both.all():
            assert np.abs(shift_px(wanted, picture)).max() < 0.3, "cut to a quarter of a pixel a side"
    imagery.close()
