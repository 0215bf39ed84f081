"""A rendered drone view shows its tile's ground, moved and turned by the errors that were asked for."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from runtime.geo.camera import Attitude, Camera, ground_from_pixels, pixels_from_ground
from tests.train.conftest import EXACT, draw_place
from train.data.view_pair import frame_points, patch_grid, render_views
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
