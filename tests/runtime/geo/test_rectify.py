"""Patches of ground from frames, against a slow loop over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.geo.camera import Attitude, Camera, axis_ground, ground_from_pixels, pixels_from_ground
from runtime.geo.rectify import View, rectify, visible_outline
from tests.runtime.geo.drawn import CAMERA


def waves(camera: Camera) -> NDArray[np.uint8]:
    """A smooth picture, another in each channel, so that interpolation hardly matters."""
    v, u = np.mgrid[: camera.height_px, : camera.width_px]
    channels = [np.sin(u / 37.0) + np.cos(v / 29.0), np.sin((u + v) / 41.0), np.cos((u - 2 * v) / 53.0)]
    return np.dstack([127 + 60 * c for c in channels]).astype(np.uint8)


def rectified_slowly(
    view: View, rotation: NDArray[np.float64], centre_en_m: tuple[float, float], side_m: float, side_px: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Each pixel's ground point, turned into camera axes and looked up between four neighbours."""
    picture, seen = np.zeros((side_px, side_px, 3)), np.zeros((side_px, side_px), bool)
    (fx, _, cx), (_, fy, cy), _ = view.camera.matrix
    for row in range(side_px):
        for column in range(side_px):
            east = centre_en_m[0] - side_m / 2 + (column + 0.5) * side_m / side_px
            north = centre_en_m[1] + side_m / 2 - (row + 0.5) * side_m / side_px
            x, y, z = rotation.T @ (east, north, -view.alt_agl_m)
            if z <= 0:
                continue
            u, v = fx * x / z + cx, fy * y / z + cy
            if not (0 <= u <= view.camera.width_px - 1 and 0 <= v <= view.camera.height_px - 1):
                continue
            left, top = min(int(u), view.camera.width_px - 2), min(int(v), view.camera.height_px - 2)
            du, dv = u - left, v - top
            corner = view.picture[top : top + 2, left : left + 2].astype(float)
            upper, lower = corner[:, 0] * (1 - du) + corner[:, 1] * du
            picture[row, column], seen[row, column] = upper * (1 - dv) + lower * dv, True
    return picture, seen


@pytest.mark.parametrize(
    ("attitude", "centre_en_m", "side_m"),
    [
        (Attitude(0, -90, 0), (0.0, 0.0), 30.0),
        (Attitude(4, -80, 200), (10.0, -12.0), 90.0),  # reaches beyond the frame
        (Attitude(-6, -45, 35), (40.0, 55.0), 40.0),
        (Attitude(0, -25, 300), (-120.0, 70.0), 60.0),
    ],
)
def test_rectified_is_what_a_slow_loop_over_pixels_says(
    attitude: Attitude, centre_en_m: tuple[float, float], side_m: float
) -> None:
    camera = CAMERA.resized(320, 240)
    view = View(waves(camera), camera, attitude, 60.0)
    slant_m = math.hypot(*centre_en_m, 60.0)
    side_px = math.ceil(side_m / (1.4 * slant_m / 250.0))  # fine enough that the frame is not shrunk first
    patch = rectify(view, centre_en_m, side_m, side_px)
    wanted, seen = rectified_slowly(view, attitude.enu_from_camera(), centre_en_m, side_m, side_px)
    assert seen.any()
    assert (patch.seen == seen).mean() > 0.999
    both = patch.seen & seen
    assert np.abs(patch.picture[both] - wanted[both]).max() <= 2.0


@pytest.mark.parametrize("side_px", [24, 60, 150])
def test_a_coarse_patch_stays_in_place_and_does_not_alias(side_px: int) -> None:
    picture = np.full((480, 640, 3), 40, np.uint8)
    picture[:, ::2] = 80  # stripes of one pixel: their mean is 60
    place = np.array([12.0, -9.0])
    u, v, w = pixels_from_ground(CAMERA, Attitude(0, -90, 0), 60.0) @ (*place, 1.0)
    column, row = round(u / w), round(v / w)
    picture[row - 8 : row + 9, column - 8 : column + 9] = 250
    centre = ground_from_pixels(CAMERA, Attitude(0, -90, 0), 60.0, np.array([[column, row]], float))[0]
    patch = rectify(View(picture, CAMERA, Attitude(0, -90, 0), 60.0), (10.0, -10.0), 24.0, side_px)
    assert patch.seen.all()
    light = np.clip(patch.picture[..., 0].astype(float) - 100.0, 0.0, None)
    rows, columns = np.mgrid[:side_px, :side_px]
    weighed = np.array([(light * columns).sum(), (light * rows).sum(), light.sum()]) / light.sum()
    assert (patch.ground_from_patch() @ weighed)[:2] == pytest.approx(centre, abs=0.3 * patch.metres_per_px + 0.02)
    assert abs(float(np.median(patch.picture)) - 60.0) < (12.0 if side_px < 100 else 21.0)


@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(0, 360), st.floats(0.1, 5000))
def test_any_attitude_can_be_laid_out_without_a_fault(
    roll_deg: float, pitch_deg: float, yaw_deg: float, alt_agl_m: float
) -> None:
    view = View(
        np.full((48, 64, 3), 90, np.uint8), CAMERA.resized(64, 48), Attitude(roll_deg, pitch_deg, yaw_deg), alt_agl_m
    )
    outline = visible_outline(view)
    assert outline is None or np.isfinite(outline).all()
    axis = axis_ground(view.attitude, alt_agl_m)
    patch = rectify(view, axis if axis is not None and np.hypot(*axis) < 1e5 else (0.0, 0.0), 50.0, 16)
    assert patch.picture.shape == (16, 16, 3)
    above = (pixels_from_ground(view.camera, view.attitude, alt_agl_m) @ (0, 0, 1))[2] <= 0
    assert not (above and patch.seen.all())
