"""A rendered drone view shows its tile's ground, moved and turned by the errors that were asked for."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.geo.camera import Attitude, Camera, ground_from_pixels, pixels_from_ground
from tests.train.conftest import EXACT, draw_place
from train.data.view_pair import CameraPose, frame_points, patch_grid, render_views, shift, turn
from train.data.view_spec import ViewSpec


@pytest.mark.parametrize("seed", range(8))
def test_without_errors_of_pose_a_tilted_drone_delivers_the_very_tile(seed: int) -> None:
    chip = draw_place(seed, 256)
    views = render_views(chip, 0.3, np.random.default_rng(seed), side_px=64, spec=EXACT)
    difference = np.abs(views.drone.astype(int) - views.tile.astype(int))[views.drone_seen]
    assert views.drone_seen.mean() > 0.5
    assert difference.max() <= 2


def test_errors_of_pose_move_the_picture_but_not_its_middle_by_more_than_the_offset() -> None:
    """A bright dot in the chip's middle; the tile is centred somewhere near, the drone's view at most 1/8 away."""
    spec = ViewSpec(footprint_m=(60.0, 60.0), offset=0.125)
    chip = np.full((401, 401, 3), 60, np.uint8)
    cv2.circle(chip, (200, 200), 8, (250, 250, 250), -1)
    farthest = 0.0
    for seed in range(60):
        views = render_views(chip, 0.3, np.random.default_rng(seed), side_px=96, spec=spec)
        at = [_dot(picture) for picture in (views.drone, views.tile)]
        near_middle = at[1] is not None and np.abs(at[1] - 47.5).max() < 12
        if near_middle and at[0] is not None:
            farthest = max(farthest, float(np.abs(at[0] - at[1]).max()))
    assert 6 < farthest < 12 + 5  # 1/8 of 96 pixels, and what 15 degrees and 15 % add within 12 pixels of the middle


def test_an_error_of_yaw_turns_the_drones_view_about_its_middle_by_as_much() -> None:
    chip = np.full((401, 401, 3), 60, np.uint8)
    cv2.circle(chip, (280, 130), 8, (250, 250, 250), -1)
    spec = replace(EXACT, footprint_m=(80.0, 80.0), yaw_error_deg=15.0)
    turns = []
    for seed in range(60):
        views = render_views(chip, 0.3, np.random.default_rng(seed), side_px=96, spec=spec)
        drone, tile = _dot(views.drone), _dot(views.tile)
        if drone is None or tile is None or max(np.abs(drone - 47.5).max(), np.abs(tile - 47.5).max()) > 42:
            continue  # cut by an edge
        before, after = (complex(*(at - 47.5)) for at in (tile, drone))
        assert abs(after) == pytest.approx(abs(before), abs=1.0)
        turns.append(abs(float(np.degrees(np.angle(after / before)))))
    assert 8 < max(turns) < 16


def _dot(picture: np.ndarray) -> np.ndarray | None:
    light = np.clip(picture[..., 1].astype(float) - 150, 0, None)
    y, x = np.mgrid[: len(picture), : len(picture)]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum() if light.sum() > 500 else None


def test_what_a_camera_sees_agrees_with_its_rays() -> None:
    matrix = np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]])
    camera, attitude = Camera(320, 240, matrix, np.zeros(5)), Attitude(3.0, -50.0, 70.0)
    corners = np.array([[0.0, 0.0], [319.0, 0.0], [319.0, 239.0], [0.0, 239.0]])
    outline = ground_from_pixels(camera, attitude, 80.0, corners).astype(np.float32)
    middle = outline.mean(axis=0)
    grid = patch_grid(150.0, 40)
    grid[:2, 2] += middle
    _, seen = frame_points(camera, pixels_from_ground(camera, attitude, 80.0) @ grid, 40)
    for row in range(0, 40, 3):
        for column in range(0, 40, 3):
            east, north, _ = grid @ (column, row, 1)
            margin = cv2.pointPolygonTest(outline[:, None], (float(east), float(north)), True)
            if abs(margin) > 0.5:
                assert seen[row, column] == (margin > 0)


def test_a_lens_that_calibration_left_bent_moves_corners_by_as_much_and_not_the_middle() -> None:
    """A dot near the middle stays; far out it moves along the radius, by at most the share that was asked for."""
    chip = np.full((401, 401, 3), 60, np.uint8)
    for east, north in ((0, 0), (80, 80), (-80, 60)):
        cv2.circle(chip, (200 + east, 200 - north), 6, (250, 250, 250), -1)
    spec = replace(EXACT, footprint_m=(110.0, 110.0), tilt_deg=0.0)
    straight, bent = (
        [render_views(chip, 0.3, np.random.default_rng(seed), side_px=96, spec=s).drone for seed in range(12)]
        for s in (spec, replace(spec, lens_error=0.1))
    )
    moved = [np.abs(a.astype(int) - b) for a, b in zip(straight, bent, strict=True)]
    assert max(m.max() for m in moved) > 100
    assert all(m[44:52, 44:52].max() < 60 for m in moved)


def test_the_place_beside_is_at_the_same_scale_and_at_least_a_near_miss_away() -> None:
    """A chip whose red says how far east a pixel is, and whose green how far south."""
    far = np.linspace(0, 255, 1024).astype(np.uint8)
    chip = np.dstack([np.tile(far, (1024, 1)), np.tile(far[:, None], (1, 1024)), np.zeros((1024, 1024), np.uint8)])
    spec = replace(EXACT, footprint_m=(60.0, 60.0), beside=True)
    shares = []
    for seed in range(40):
        views = render_views(chip, 0.3, np.random.default_rng(seed), side_px=96, spec=spec)
        assert views.beside is not None
        first, second = (v.tile[46:50, 46:50, :2].mean(axis=(0, 1)) for v in (views, views.beside))
        shares.append(np.linalg.norm(second - first) / 255 * 1024 * 0.3 / 60)
    assert 0.4 < min(shares) < 0.6  # a step of red is 1.2 m, 0.02 of a footprint
    assert 0.85 < max(shares) < 1.05
    assert render_views(chip, 0.3, np.random.default_rng(0), side_px=96, spec=EXACT).beside is None


@given(st.floats(1, 500), st.integers(2, 300))
def test_a_patch_is_as_wide_as_its_footprint_with_north_up(footprint_m: float, side_px: int) -> None:
    grid = patch_grid(footprint_m, side_px)
    corner = grid @ (-0.5, -0.5, 1.0)  # the outer corner of the first pixel
    assert corner[:2] == pytest.approx((-footprint_m / 2, footprint_m / 2))
    middle = grid @ ((side_px - 1) / 2, (side_px - 1) / 2, 1.0)
    assert middle[:2] == pytest.approx((0.0, 0.0), abs=1e-9)


@given(st.integers(0, 10_000), st.floats(0, 0.7))
def test_a_turn_keeps_lengths_and_may_mirror(seed: int, most_rad: float) -> None:
    matrix = turn(np.random.default_rng(seed), most_rad)
    assert matrix[:2, :2] @ matrix[:2, :2].T == pytest.approx(np.eye(2))
    assert abs(np.linalg.det(matrix)) == pytest.approx(1.0)


def test_turns_point_all_ways_and_half_of_them_are_mirrored() -> None:
    matrices = [turn(np.random.default_rng(seed), math.pi / 4) for seed in range(400)]
    angles = [math.degrees(math.atan2(m[0, 1], m[1, 1])) % 360 for m in matrices]
    assert np.histogram(angles, 8, (0, 360))[0].min() > 25
    assert 0.4 < np.mean([np.linalg.det(m) < 0 for m in matrices]) < 0.6


def test_shifts_add_up() -> None:
    assert shift(3, 4) @ shift(-1, 2) @ (0, 0, 1) == pytest.approx((2, 6, 1))


def test_a_camera_that_looks_at_the_sky_has_no_ground() -> None:
    matrix = np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]])
    pose = CameraPose(Camera(320, 240, matrix, np.zeros(5)), Attitude(0.0, 5.0, 0.0), 50.0)
    with pytest.raises(ValueError, match="does not look at the ground"):
        pose.frame_from_axis()


def test_the_optical_axis_meets_the_frames_middle() -> None:
    matrix = np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]])
    pose = CameraPose(Camera(320, 240, matrix, np.zeros(5)), Attitude(2.0, -60.0, 130.0), 50.0)
    x, y, w = pose.frame_from_axis() @ (0.0, 0.0, 1.0)
    assert (x / w, y / w) == pytest.approx((159.5, 119.5))


@pytest.mark.parametrize("seed", range(4))
def test_most_of_a_patch_is_seen_by_the_frame(seed: int) -> None:
    chip = draw_place(seed, 256)
    spec = replace(ViewSpec(), footprint_m=(40.0, 70.0))
    seen = [render_views(chip, 0.3, np.random.default_rng((seed, k)), side_px=48, spec=spec) for k in range(20)]
    assert np.mean([view.drone_seen.mean() for view in seen]) > 0.85
    assert min(view.drone_seen.mean() for view in seen) > 0.6


def test_another_date_is_on_the_tile_alone() -> None:
    chip = draw_place(1, 256)
    dark = (chip // 4).astype(np.uint8)
    views = render_views(chip, 0.3, np.random.default_rng(0), side_px=48, spec=EXACT, mapped=dark)
    assert np.abs(views.drone[views.drone_seen].astype(int) // 4 - views.tile[views.drone_seen]).max() <= 2


def test_a_chip_finer_than_the_patch_is_shrunk_by_area_and_does_not_alias() -> None:
    """Checks of one pixel: shrunk by area they are grey; a bilinear warp alone would pick some of them."""
    checks = (np.indices((512, 512)).sum(axis=0)[..., None] % 2 * np.full(3, 255)).astype(np.uint8)
    views = render_views(checks, 0.1, np.random.default_rng(3), side_px=16, spec=EXACT)
    assert np.abs(views.tile.astype(int) - 127).max() < 12


@given(st.integers(0, 10_000))
def test_any_chip_gives_a_footprint_that_fits_into_it(seed: int) -> None:
    """The tile of a chip whose rim is red holds no red."""
    rng = np.random.default_rng(seed)
    height, width = (int(n) for n in rng.integers(120, 300, 2))
    chip = np.full((height, width, 3), 90, np.uint8)
    chip[[0, -1]] = chip[:, [0, -1]] = (255, 0, 0)
    tile = render_views(chip, float(rng.uniform(0.2, 0.6)), rng, side_px=32, spec=EXACT).tile.astype(int)
    assert (tile[2:-2, 2:-2, 0] - tile[2:-2, 2:-2, 1]).max() < 200
