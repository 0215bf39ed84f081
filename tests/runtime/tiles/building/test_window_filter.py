"""What is left out of a cache and why; and that a window is the same cut alone or from a raster shared with others."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.tiles.building.window_cutter import WindowCutter
from runtime.tiles.building.window_filter import LeftOut, filter_window
from runtime.tiles.windows import Grid
from runtime.types import Picture

SIDE_PX = 224
SEEN = np.ones((SIDE_PX, SIDE_PX), np.bool_)


def soft(seed: int, sigma_px: float) -> NDArray[np.float64]:
    """Noise between 0 and 1, smooth over some pixels."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(SIDE_PX, SIDE_PX)), (0, 0), sigma_px)
    return (noise - noise.min()) / np.ptp(noise)


def cloud(seed: int, least: float = 212.0) -> Picture:
    """White, a little blue, with soft billows and the sensor's noise."""
    billows = least + 35 * soft(seed, 30.0)[..., None] + (0, 1, 4)
    return np.clip(billows + np.random.default_rng(seed).normal(0, 1.5, (SIDE_PX, SIDE_PX, 3)), 0, 255).astype(np.uint8)


def roof(seed: int) -> Picture:
    """A white roof of sheets, three metres wide at 0.3 m a pixel."""
    white = cloud(seed).astype(int)
    white[:, ::10] -= 45
    return np.clip(white, 0, 255).astype(np.uint8)


def snow(seed: int) -> Picture:
    """A white field that somebody has walked over, between a few trees."""
    white = cloud(seed, 215.0)
    for x, y in np.random.default_rng(seed).integers(10, SIDE_PX - 10, (60, 2)).tolist():
        cv2.circle(white, (x, y), 5, (70, 75, 70), -1)
    return white


def sand(seed: int) -> Picture:
    return np.clip(cloud(seed).astype(int) - (0, 8, 16), 0, 255).astype(np.uint8)


def half_clouded(seed: int) -> Picture:
    picture = (60 + 90 * soft(seed + 1, 2.0)[..., None] * (1.0, 1.1, 0.8)).astype(np.uint8)
    picture[:, : SIDE_PX // 2] = cloud(seed)[:, : SIDE_PX // 2]
    return picture


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("drawn", "cloudy"), [(cloud, True), (roof, False), (snow, False), (sand, False), (half_clouded, False)]
)
def test_clouds_are_left_out_and_what_is_only_white_is_kept(*, drawn: object, cloudy: bool, seed: int) -> None:
    assert callable(drawn)
    assert (filter_window(drawn(seed), SEEN) is LeftOut.CLOUDY) == cloudy


def test_no_window_of_a_real_map_is_cloudy_or_blank(real_flights: Path, tmp_path: Path) -> None:
    """White roofs, concrete and bare fields: none of it is cloud."""
    from runtime.maps.importing import import_imagery

    for flight in ("caliterra", "fengyuan"):
        imagery = import_imagery(
            real_flights / flight / "map.tif", tmp_path / f"{flight}.mbtiles", name="", date="", attribution="",
            tick=lambda done, total: None,
        )  # fmt: skip
        for level, side_m in enumerate((45.0, 90.0)):
            grid = Grid(level, side_m, side_m / 2)
            cutter = WindowCutter(imagery, grid, SIDE_PX)
            windows = [w for block in grid.blocks(imagery.bounds) for w in grid.windows(block, imagery.bounds)]
            looks = [filter_window(*cutter.cut(window)) for window in windows]
            assert windows
            assert all(isinstance(look, np.ndarray) or look is LeftOut.MISSING for look in looks)
        imagery.close()


def test_what_is_blank_or_missing_has_its_own_reason() -> None:
    sheet, mostly = np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8), SEEN.copy()
    assert filter_window(sheet, SEEN) is LeftOut.BLANK
    mostly[: SIDE_PX // 3] = False
    assert filter_window(roof(0), mostly) is LeftOut.MISSING
    mostly[:] = True
    mostly[: SIDE_PX // 8] = False
    sheet[: SIDE_PX // 8] = 0
    assert filter_window(sheet, mostly) is LeftOut.BLANK, "what is missing does not count as contrast"
    assert filter_window(cloud(0), mostly) is LeftOut.CLOUDY
