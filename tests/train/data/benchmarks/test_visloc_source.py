"""A picture laid on the ground shows what the map shows there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.train.data.benchmarks.conftest import EXACT, TRAIN
from train.data.benchmarks import visloc
from train.data.benchmarks.visloc_source import lay_on_ground, view_side_m


def test_a_picture_laid_on_the_ground_shows_what_the_map_shows_there(visloc_root: Path) -> None:
    source = visloc.open_train(visloc_root, TRAIN, EXACT)
    for spot in source.spots:
        patch = lay_on_ground(spot.photo, 60.0, 60)
        tile = spot.map.window(spot.photo.place, 60.0, 60)
        assert patch.seen.mean() > 0.8
        assert np.abs(patch.picture.astype(int) - tile)[patch.seen].mean() < 4  # JPEG, and interpolation twice


@pytest.mark.parametrize("seed", range(6))
def test_both_views_are_moved_alike_and_the_footprint_is_the_tiles(seed: int, visloc_root: Path) -> None:
    source = visloc.open_train(visloc_root, TRAIN, replace(EXACT, offset=0.125))
    exact = visloc.open_train(visloc_root, TRAIN, EXACT)
    views = exact.render(2, np.random.default_rng(seed), 48)
    assert np.abs(views.drone.astype(int) - views.tile)[views.drone_seen].mean() < 4
    spot = source.spots[2]
    moved = source.render(2, np.random.default_rng(seed), 48).footprint
    assert moved is not None
    east_m, north_m = spot.frame.to_en(spot.photo.place)
    assert max(abs(moved.east_m - east_m), abs(moved.north_m - north_m)) <= moved.side_m / 8
    assert (moved.east_m, moved.north_m) != (east_m, north_m)
    assert 0.8 <= moved.side_m / view_side_m(120.0) <= 1.2


def test_a_large_picture_read_at_half_its_size_shows_the_same_ground(visloc_root: Path, tmp_path: Path) -> None:
    photo = visloc.open_train(visloc_root, TRAIN, EXACT).spots[2].photo
    small = cv2.imread(str(photo.path))
    large = photo._replace(path=tmp_path / "large.png")
    cv2.imwrite(str(large.path), cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))
    coarse, fine = lay_on_ground(large, 60.0, 40), lay_on_ground(photo, 60.0, 40)
    both = coarse.seen & fine.seen
    assert np.abs(coarse.picture.astype(int) - fine.picture)[both].mean() < 1.5
