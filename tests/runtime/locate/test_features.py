"""Keypoints of a picture."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.locate.features import LocalFeatures, _bilinear
from runtime.locate.similarity import mutual_matches
from tests.runtime.locate.drawn import Scene


def test_keypoints_keep_away_from_what_is_not_seen_and_from_padding(features: LocalFeatures) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (150, 203, 3), dtype=np.uint8)  # no multiple of 32
    seen = np.ones((150, 203), bool)
    seen[:, :70] = False
    found = features.detect(picture, seen, 400)
    assert 20 < len(found.xy) <= 400
    assert found.xy[:, 0].min() >= 70 + 4
    assert (found.xy <= (203 - 1 - 4, 150 - 1 - 4)).all()
    assert np.linalg.norm(found.descriptor, axis=1) == pytest.approx(1.0, abs=1e-5)
    nothing = features.detect(picture, np.zeros((150, 203), bool), 400)
    assert nothing.xy.shape == (0, 2)
    assert nothing.descriptor.shape == (0, 64)


def test_descriptors_are_read_between_the_middles_of_cells() -> None:
    rows, columns = np.mgrid[:9, :12]
    middles = np.dstack([columns * 8 + 3.5, rows * 8 + 3.5]).astype(np.float32)
    xy = np.random.default_rng(0).uniform((3.5, 3.5), (91.5, 67.5), (50, 2)).astype(np.float32)
    assert _bilinear(middles, xy, 8) == pytest.approx(xy, abs=1e-4)


def test_a_shifted_picture_has_the_same_descriptors_at_shifted_points(features: LocalFeatures, scene: Scene) -> None:
    whole = scene.view.picture[:320, :480]
    part = np.ascontiguousarray(scene.view.picture[16:336, 32:512])  # whole cells of the coarse grid
    a, b = (features.detect(p, np.ones(p.shape[:2], bool), 300) for p in (whole, part))
    mine, theirs = mutual_matches(a.descriptor, b.descriptor)
    shift = a.xy[mine] - b.xy[theirs]
    right = np.abs(shift - (32, 16)).max(axis=1) <= 1.0
    assert right.sum() > 60
    assert right.mean() > 0.6
