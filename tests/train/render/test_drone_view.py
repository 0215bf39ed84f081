"""A view must show the ground where the camera model says."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.geo.camera import Attitude, Camera, pixels_from_ground
from runtime.geo.terrain import FLAT, Terrain
from runtime.model.preprocess import FILL
from runtime.types import Picture
from train.render.drone_view import Optics, expose, render_view

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


def grey(level: int = 100) -> Picture:
    return np.full((120, 160, 3), level, np.uint8)


def test_without_optics_a_picture_comes_out_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    assert np.array_equal(expose(picture, Optics(), np.random.default_rng(0)), picture)


def test_exposure_and_tint_multiply_and_saturate() -> None:
    optics = Optics(exposure=1.5, tint=(1.2, 1.0, 0.5))
    assert expose(grey(), optics, np.random.default_rng(0))[5, 5].tolist() == [180, 150, 75]
    assert expose(grey(200), optics, np.random.default_rng(0))[5, 5].tolist() == [255, 255, 150]


def test_noise_is_as_strong_as_said_and_lies_about_the_light() -> None:
    noisy = expose(grey(), Optics(noise=4.0), np.random.default_rng(1)).astype(float)
    assert noisy.std() == pytest.approx(4.0, rel=0.05)
    assert noisy.mean() == pytest.approx(100.0, abs=0.2)


def test_vignetting_takes_light_from_the_corners_by_the_square_of_the_radius() -> None:
    dim = expose(grey(200), Optics(vignette=0.4), np.random.default_rng(0))[..., 0].astype(float)
    assert dim[0, 0] == pytest.approx(200 * 0.6, abs=1)
    assert dim[60, 80] == pytest.approx(200, abs=1)
    assert dim[60, 0] == pytest.approx(200 * 0.8, abs=2), "half of the square of the corner's radius"


@pytest.mark.parametrize(("direction_deg", "along"), [(0.0, 1), (90.0, 0)])
def test_motion_smears_a_dot_along_its_direction_as_far_as_it_says(direction_deg: float, along: int) -> None:
    dot = np.zeros((61, 61, 3), np.uint8)
    dot[30, 30] = 255
    smeared = expose(dot, Optics(motion_px=12.0, motion_deg=direction_deg), np.random.default_rng(0))[..., 0]
    reach = [np.ptp(axis) for axis in np.nonzero(smeared)]
    assert reach[along] == pytest.approx(12, abs=1)
    assert reach[1 - along] <= 1
    assert smeared.astype(int).sum() == pytest.approx(255, abs=13)


def test_blur_keeps_the_light_and_spreads_it() -> None:
    dot = np.zeros((61, 61, 3), np.uint8)
    dot[28:33, 28:33] = 250
    soft = expose(dot, Optics(blur_px=2.0), np.random.default_rng(0)).astype(float)
    assert soft.sum() == pytest.approx(dot.astype(float).sum(), rel=0.03)
    assert soft.max() < 200


@given(st.integers(0, 10_000))
def test_a_drawn_camera_is_plausible(seed: int) -> None:
    optics = Optics.drawn(np.random.default_rng(seed))
    assert 0 <= optics.motion_px < 20
    assert 0.8 <= optics.exposure <= 1.2
    assert optics.tint[1] == 1.0
    picture = expose(grey(), optics, np.random.default_rng(seed))
    assert 50 < picture.mean() < 140


def test_pictures_of_other_types_and_bent_lenses_are_refused() -> None:
    view = {"camera": camera(), "attitude": Attitude(0, -90, 0), "alt_agl_m": 40.0, "rng": np.random.default_rng(0)}
    for wrong in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((9, 9, 4), np.uint8)):
        with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\)"):
            render_view(wrong, GSD_M, CENTRE_PX, **view)  # type: ignore[arg-type]
    bent = Camera(320, 240, camera().matrix, np.array([0.1, 0, 0, 0, 0]))
    with pytest.raises(ValueError, match="whose distortion is zero"):
        render_view(dotted(9, 9), GSD_M, CENTRE_PX, **{**view, "camera": bent})  # type: ignore[arg-type]


def test_a_view_of_nothing_but_sky_is_grey() -> None:
    view = render_view(dotted(400, 450), GSD_M, CENTRE_PX, camera=camera(), attitude=Attitude(0, 60, 0),
                       alt_agl_m=40.0, rng=np.random.default_rng(0))  # fmt: skip
    assert (view == FILL).all()


def test_level_terrain_is_flat_ground() -> None:
    ground = np.random.default_rng(2).integers(0, 256, (900, 800, 3), np.uint8)
    level = Terrain(np.full((9, 9), 400.0), (-400.0, 400.0), (100.0, 100.0))
    flat, draped = (
        render_view(ground, GSD_M, CENTRE_PX, camera=camera(), attitude=Attitude(0, -60, 30), alt_agl_m=50.0,
                    rng=np.random.default_rng(0), terrain=terrain)
        for terrain in (FLAT, level)
    )  # fmt: skip
    assert np.array_equal(flat, draped)
