"""A view must show the ground where the camera model says."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.geo.camera import Attitude, Camera, pixels_from_ground
from runtime.geo.terrain import Terrain
from runtime.model.preprocess import FILL
from train.render.drone_view import Optics, render_view

GSD_M = 0.2
CENTRE_PX = (399.5, 449.5)


def camera(width_px: int = 320, height_px: int = 240, hfov_deg: float = 60.0) -> Camera:
    focal = width_px / 2 / math.tan(math.radians(hfov_deg) / 2)
    matrix = np.array([[focal, 0, (width_px - 1) / 2], [0, focal, (height_px - 1) / 2], [0, 0, 1]])
    return Camera(width_px, height_px, matrix, np.zeros(5))


def dotted(column: int, row: int) -> NDArray[np.uint8]:
    ground = np.full((900, 800, 3), 60, np.uint8)
    ground[row - 5 : row + 6, column - 5 : column + 6] = 250
    return ground


def dot_in(view: NDArray[np.uint8]) -> NDArray[np.float64]:
    light = np.clip(view[..., 1].astype(float) - 135.0, 0, None)  # above FILL and above the ground
    y, x = np.mgrid[: view.shape[0], : view.shape[1]]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


@pytest.mark.parametrize(
    ("attitude", "dot"),
    [
        (Attitude(0, -90, 0), (430, 420)),
        (Attitude(3, -88, 200), (380, 500)),
        (Attitude(-4, -45, 35), (560, 240)),
        (Attitude(2, -45, 300), (200, 330)),
    ],
)
@pytest.mark.parametrize("alt_agl_m", [40.0, 60.0])
@pytest.mark.parametrize("size", [(320, 240), (96, 72)])  # pixels finer and coarser than the ground picture's
def test_a_dot_on_the_ground_lands_where_the_camera_model_says(
    attitude: Attitude, dot: tuple[int, int], alt_agl_m: float, size: tuple[int, int]
) -> None:
    lens = camera(*size)
    east, north = (dot[0] - CENTRE_PX[0]) * GSD_M, (CENTRE_PX[1] - dot[1]) * GSD_M
    x, y, w = pixels_from_ground(lens, attitude, alt_agl_m) @ (east, north, 1.0)
    view = render_view(
        dotted(*dot),
        GSD_M,
        CENTRE_PX,
        camera=lens,
        attitude=attitude,
        alt_agl_m=alt_agl_m,
        rng=np.random.default_rng(0),
    )
    assert w > 0
    assert 0 < x / w < lens.width_px and 0 < y / w < lens.height_px, "the case itself must be in view"
    assert np.hypot(*(dot_in(view) - (x / w, y / w))) < 0.3


@pytest.mark.parametrize(("alt_agl_m", "pitch_deg"), [(60.0, -90.0), (100.0, -45.0), (200.0, -50.0), (340.0, -80.0)])
def test_a_view_coarser_than_the_ground_is_the_mean_of_a_much_finer_one(alt_agl_m: float, pitch_deg: float) -> None:
    rng = np.random.default_rng(1)
    ground = cv2.resize(rng.integers(0, 256, (1000, 1000, 3), np.uint8), (4000, 4000), interpolation=cv2.INTER_CUBIC)
    lens, attitude = camera(64, 48, 50.0), Attitude(0, pitch_deg, 20)
    view, fine = (
        render_view(ground, 0.1, (2000.0, 2800.0), camera=c, attitude=attitude, alt_agl_m=alt_agl_m, rng=rng)
        for c in (lens, lens.resized(64 * 16, 48 * 16))
    )
    mean = cv2.resize(fine, (64, 48), interpolation=cv2.INTER_AREA)
    seen = (slice(12, 48), slice(None))  # below the edge of the ground picture
    off = view[seen].astype(float) - mean[seen]
    assert np.sqrt((off**2).mean()) < 0.55 * mean[seen].std()


def test_sky_and_ground_beyond_the_map_are_fill_grey() -> None:
    ground = np.full((100, 100, 3), 200, np.uint8)
    view = render_view(
        ground,
        0.5,
        (49.5, 49.5),
        camera=camera(),
        attitude=Attitude(0, -5, 0),
        alt_agl_m=5.0,
        rng=np.random.default_rng(0),
    )
    assert (view[:80] == FILL).all(), "the horizon lies five degrees above the middle"
    assert (view[-1, 160] == 200).all()
    assert (view[125:] != FILL).any()


def test_optics_change_the_light_and_not_the_place() -> None:
    lens, attitude = camera(), Attitude(0, -80, 10)
    optics = Optics(motion_px=3, motion_deg=40, blur_px=0.7, exposure=1.05, vignette=0.2, noise=2.0)
    plain, real = (
        render_view(
            dotted(410, 440),
            GSD_M,
            CENTRE_PX,
            camera=lens,
            attitude=attitude,
            alt_agl_m=50.0,
            rng=np.random.default_rng(3),
            optics=choice,
        )
        for choice in (None, optics)
    )
    assert np.hypot(*(dot_in(plain) - dot_in(real))) < 0.5
    assert real[:12, :12].mean() < 0.93 * plain[:12, :12].mean(), "corners are darker"
    assert plain[:12, :12].std() < real[:12, :12].std()


@pytest.mark.parametrize("alt_agl_m", [0.0, -3.0, float("nan")])
def test_an_impossible_altitude_is_refused(alt_agl_m: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        render_view(
            dotted(9, 9),
            GSD_M,
            CENTRE_PX,
            camera=camera(),
            attitude=Attitude(0, -90, 0),
            alt_agl_m=alt_agl_m,
            rng=np.random.default_rng(0),
        )


def test_on_hills_a_pixel_shows_what_a_march_along_its_ray_meets() -> None:
    """The ground's colours tell its places: red its columns, green its rows, blue nothing."""
    rows, columns = np.mgrid[:900, :800]
    ground = np.stack([columns * 255 / 800, rows * 255 / 900, rows * 0], axis=-1).astype(np.uint8)
    axis = np.arange(-200.0, 201.0, 5.0)
    height_m = 400 + 12 * np.sin(axis[None] / 45) + 12 * np.cos(axis[:, None] / 60)
    terrain, attitude, alt_agl_m = Terrain(height_m, (-200.0, 200.0), (5.0, 5.0)), Attitude(4.0, -50.0, 30.0), 40.0
    seen = camera()
    view = render_view(ground, GSD_M, CENTRE_PX, camera=seen, attitude=attitude, alt_agl_m=alt_agl_m,
                       rng=np.random.default_rng(0), terrain=terrain)  # fmt: skip

    def up_m(east: float, north: float) -> float:
        across = [np.interp(east, axis, row) for row in height_m]
        return float(np.interp(-north, axis, across))

    for x, y in ((40, 60), (160, 120), (280, 200), (90, 230)):
        step = 0.2 * attitude.enu_from_camera() @ seen.rays(np.array([[x, y]], float))[0]
        at = np.array([0.0, 0.0, up_m(0.0, 0.0) + alt_agl_m])
        while at[2] > up_m(at[0], at[1]):
            at += step
        column, row = CENTRE_PX[0] + at[0] / GSD_M, CENTRE_PX[1] - at[1] / GSD_M
        assert view[y, x, :2] == pytest.approx((column * 255 / 800, row * 255 / 900), abs=2.0)
