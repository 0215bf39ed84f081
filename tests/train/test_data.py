"""Views show one place from two sides, and bad folders are told in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import DataError
from runtime.geo.camera import Attitude, Camera, ground_from_pixels, pixels_from_ground
from runtime.model.preprocess import FILL
from tests.train.conftest import draw_place
from train.augment import augment
from train.data.dataset import Item, PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.rectified import ViewSpec, frame_points, patch_grid, render_views

EXACT = ViewSpec(tilt_deg=40.0, yaw_error_deg=0.0, tilt_error_deg=0.0, altitude_error=0.0, lens_error=0.0, offset=0.0)


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


def test_same_seed_epoch_and_scene_give_the_same_bytes_and_others_do_not(pictures: Path) -> None:
    def dataset(seed: int) -> PairDataset:
        sources = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), ViewSpec())
        return PairDataset(sources, seed=seed, side_px=32, strength=1.0)

    first, again, other = dataset(1), dataset(1), dataset(2)
    first.views(Item(0, 5))  # what was drawn before must not matter
    for item in (Item(0, 3), Item(4, 3)):
        assert all(np.array_equal(a, b) for a, b in zip(first.views(item)[:3], again.views(item)[:3], strict=True))
        assert not np.array_equal(first.views(item).drone, other.views(item).drone)
    assert not np.array_equal(first.views(Item(0, 3)).drone, first.views(Item(1, 3)).drone)


def test_unseen_ground_is_the_grey_that_flies_whatever_the_light(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice(None), replace(ViewSpec(), tilt_deg=50.0))
    views = [sources[0].render(k, np.random.default_rng(k), 48) for k in range(24)]
    scene = next(k for k, view in enumerate(views) if not view.drone_seen.all())
    data = PairDataset(sources, seed=0, side_px=48, strength=1.0)
    for epoch in range(20):
        drone = data.views(Item(epoch, scene)).drone
        rng = np.random.default_rng((0, epoch, scene))
        seen = sources[0].render(scene, rng, 48).drone_seen
        assert (drone[~seen] == FILL).all()


@given(st.integers(0, 10_000), st.integers(8, 200))
@settings(max_examples=60, deadline=None)
def test_augmentation_keeps_shape_and_type_and_leaves_its_input_alone(seed: int, side_px: int) -> None:
    picture = draw_place(seed, side_px)
    before = picture.copy()
    out = augment(picture, np.random.default_rng(seed))
    assert (out.shape, out.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(picture, before)
    assert augment(picture, np.random.default_rng(seed), 0.0) is picture


def test_a_manifest_chooses_split_licence_and_scale(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), draw_place(0))
    lines = ["image,gsd_m,split,may_ship", "a.png,0.25,train,yes", "b.png,,val,yes", "c.png,0.5,train,no"]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))

    def names(choice: Choice) -> list[str]:
        sources = open_sources([f"overhead:{tmp_path}"], choice, ViewSpec())
        return [Path(place).stem for source in sources for place in source.places]

    assert names(Choice("train")) == ["a", "c"]
    assert names(Choice("train", only_may_ship=True)) == ["a"]
    assert names(Choice("val")) == ["b"]
    assert names(Choice(None)) == ["a", "b", "c"]


def test_registered_pairs_show_one_footprint_on_two_dates(tmp_path: Path) -> None:
    for folder, light in (("a", 1.0), ("b", 0.5)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "x.png"), (draw_place(3, 256) * light).astype(np.uint8))
    (source,) = open_sources([f"pairs:{tmp_path}"], Choice(None), EXACT)
    views = source.render(0, np.random.default_rng(0), 64)
    means = sorted(float(p[views.drone_seen].mean()) for p in (views.drone, views.tile))
    assert means[0] / means[1] == pytest.approx(0.5, abs=0.03)
    brighter, darker = sorted((views.drone, views.tile), key=lambda p: -float(p.mean()))
    assert np.abs(brighter.astype(int) // 2 - darker)[views.drone_seen].max() <= 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("overhead:/nowhere", "no folder"),
        ("pairs:/nowhere", "no folder"),
        ("nonsense", "expected KIND:PATH"),
        ("overhead:.@zero", "no ground sample distance"),
        ("world:none", "number of worlds"),
    ],
)
def test_data_that_is_not_there_is_told_with_what_was_expected(data: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_sources([data], Choice("train"), ViewSpec())
