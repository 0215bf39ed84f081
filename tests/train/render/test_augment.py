"""Changes of light, season and sensor touch colours and not the place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.conftest import draw_place
from train.render import augment as changes
from train.render.augment import augment

EVERY = [change for _, change in changes._CHANGES]


@given(st.integers(0, 10_000), st.integers(8, 200))
@settings(max_examples=60, deadline=None)
def test_augmentation_keeps_shape_and_type_and_leaves_its_input_alone(seed: int, side_px: int) -> None:
    picture = draw_place(seed, side_px)
    before = picture.copy()
    out = augment(picture, np.random.default_rng(seed))
    assert (out.shape, out.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(picture, before)
    assert augment(picture, np.random.default_rng(seed), 0.0) is picture


@pytest.mark.parametrize("change", EVERY, ids=lambda change: change.__name__.strip("_"))
def test_every_change_is_seen_and_leaves_edges_where_they_are(change: changes.Change) -> None:
    """Over some draws, edges correlate most where nothing is shifted."""
    light = draw_place(5, 96).astype(np.float32) / 255
    seen, scores = 0.0, []
    for seed in range(8):
        out = change(light.copy(), np.random.default_rng(seed), 1.0)
        assert (out.shape, out.dtype) == (light.shape, np.float32)
        assert np.isfinite(out).all()
        seen = max(seen, float(np.abs(out - light).max()))
        scores.append(cv2.matchTemplate(_edges(out), _edges(light)[8:-8, 8:-8], cv2.TM_CCOEFF_NORMED))
    score = np.mean(scores, axis=0)
    assert np.abs(np.array(np.unravel_index(score.argmax(), score.shape)) - 8).max() <= 1
    assert seen > 0.05


def _edges(light: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(np.clip(light, 0, 1).astype(np.float32), cv2.COLOR_RGB2GRAY)
    return np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
