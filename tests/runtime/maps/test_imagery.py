"""Windows of a map against a slow loop over its pixels, at any place and scale."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import ImageryError
from runtime.geo.mercator import TILE_PX, Metres, Tile, metres_per_px, north_west_of
from runtime.maps.imagery import Imagery, decode_tile
from runtime.maps.mbtiles import write_tiles

ZOOM, X, Y = 18, 137_040, 91_776
ACROSS = 3  # tiles


@pytest.fixture(scope="module")
def ground() -> np.ndarray:  # (H, W, 3)
    """Smooth ground, so that a value between pixels is known."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (13, 13, 3))
    at = np.linspace(0, 11.99, ACROSS * TILE_PX)
    low, share = at.astype(int), (at % 1)[:, None]
    rows = coarse[low] * (1 - share[..., None]) + coarse[low + 1] * share[..., None]
    return np.rint(rows[:, low] * (1 - share) + rows[:, low + 1] * share).astype(np.uint8)


@pytest.fixture(scope="module")
def imagery(ground: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imagery]:
    """Lossless tiles of it."""
    path = tmp_path_factory.mktemp("map") / "a.mbtiles"
    parts = [
        (Tile(ZOOM, X + i, Y + j), ground[j * TILE_PX : (j + 1) * TILE_PX, i * TILE_PX : (i + 1) * TILE_PX])
        for j in range(ACROSS)
        for i in range(ACROSS)
    ]
    write_tiles(path, ((t, cv2.imencode(".png", p[..., ::-1])[1].tobytes()) for t, p in parts), {"name": "a"})
    with contextlib.closing(Imagery(path)) as opened:
        yield opened


STEP_M = metres_per_px(ZOOM)
CORNER = north_west_of(Tile(ZOOM, X, Y))


def value_at(ground: np.ndarray, x_px: float, y_px: float) -> np.ndarray:
    """Bilinear between pixel centres."""
    x, y = x_px - 0.5, y_px - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    u, v = x - left, y - top
    part = ground[top : top + 2, left : left + 2].astype(float)
    return (part[0, 0] * (1 - u) + part[0, 1] * u) * (1 - v) + (part[1, 0] * (1 - u) + part[1, 1] * u) * v


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(x_px=st.floats(150, 600), y_px=st.floats(150, 600), side=st.floats(20, 100), side_px=st.integers(16, 96))
def test_a_window_is_what_a_slow_loop_reads(
    *, imagery: Imagery, ground: np.ndarray, x_px: float, y_px: float, side: float, side_px: int
) -> None:
    centre = Metres(CORNER.x + x_px * STEP_M, CORNER.y - y_px * STEP_M)
    picture, seen = imagery.window(centre, side * STEP_M, side_px)
    assert seen.all()
    step = side / side_px
    for row, column in ((0, 0), (side_px // 2, side_px // 3), (side_px - 1, side_px - 1)):
        wanted = value_at(ground, x_px + (column + 0.5) * step - side / 2, y_px + (row + 0.5) * step - side / 2)
        assert np.abs(picture[row, column] - wanted).max() <= 4, "rounded, and averaged over a pixel where it shrinks"


def test_beyond_the_map_nothing_is_seen(imagery: Imagery) -> None:
    side_px = 64
    picture, seen = imagery.window(CORNER, 64 * STEP_M, side_px)  # its south-eastern quarter is on the map
    assert not seen[:32].any() and not seen[:, :32].any()
    assert seen[34:, 34:].all()
    assert picture.shape == (side_px, side_px, 3)
    far = Metres(CORNER.x + 1e6, CORNER.y)
    assert not imagery.window(far, 64 * STEP_M, side_px)[1].any()


@pytest.mark.parametrize("coarser", [4, 10])
def test_a_coarse_window_is_the_mean_of_the_ground_and_does_not_alias(
    coarser: int, imagery: Imagery, ground: np.ndarray
) -> None:
    side = ACROSS * TILE_PX
    side_px = side // coarser
    middle = Metres(CORNER.x + side / 2 * STEP_M, CORNER.y - side / 2 * STEP_M)
    picture, _ = imagery.window(middle, side_px * coarser * STEP_M, side_px)
    off = (side - side_px * coarser) // 2
    for row, column in ((side_px // 2, side_px // 2), (side_px // 3, side_px // 2)):
        top, left = off + row * coarser, off + column * coarser
        wanted = ground[top : top + coarser, left : left + coarser].mean(axis=(0, 1))
        assert np.abs(picture[row, column] - wanted).max() < 8


def test_the_box_is_that_of_the_tiles(imagery: Imagery) -> None:
    low, high = imagery.corners
    assert (low, high) == (Tile(ZOOM, X, Y), Tile(ZOOM, X + ACROSS - 1, Y + ACROSS - 1))
    bounds = imagery.bounds
    assert (bounds.west, bounds.north) == pytest.approx((CORNER.x, CORNER.y))
    assert bounds.east - bounds.west == pytest.approx(ACROSS * TILE_PX * STEP_M)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff"])
def test_a_tile_that_is_no_picture_is_told(data: bytes) -> None:
    with pytest.raises(ImageryError, match="map tile is not a 256-pixel JPEG or PNG"):
        decode_tile(data, "map tile")


@pytest.mark.parametrize("data", [b"", b"no database at all", b"SQLite format 3\0"])
def test_a_file_that_is_no_map_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mbtiles").write_bytes(data)
    with pytest.raises(ImageryError, match="is not an MBTiles file with pictures in it"):
        Imagery(tmp_path / "a.mbtiles")
    with pytest.raises(ImageryError, match=r"b\.mbtiles is missing; build it"):
        Imagery(tmp_path / "b.mbtiles")
