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


def mean_change(strength: float, seeds: int = 24) -> float:
    picture = draw_place(3, 96)
    out = [augment(picture, np.random.default_rng(seed), strength) for seed in range(seeds)]
    return float(np.mean([np.abs(o.astype(int) - picture).mean() for o in out]))


@pytest.mark.parametrize("strength", [0.01, 0.05, 0.1, 0.11, 0.12])
def test_the_weakest_changes_are_drawn_too(strength: float) -> None:
    assert 0 < mean_change(strength, seeds=60) < mean_change(1.0, seeds=60)


def test_more_strength_changes_more() -> None:
    weak, half, full = (mean_change(strength) for strength in (0.2, 0.5, 1.0))
    assert weak < 0.85 * half
    assert half < 0.95 * full


@given(st.integers(0, 10_000))
def test_the_same_generator_makes_the_same_change(seed: int) -> None:
    picture = draw_place(7, 48)
    first, again = (augment(picture, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, again)


def test_season_leaves_grey_alone_and_turns_green() -> None:
    green, grey = (np.tile(np.array(c, np.float32), (32, 32, 1)) for c in ((0.2, 0.6, 0.1), (0.5, 0.5, 0.5)))
    for seed in range(8):
        assert np.abs(changes._season(grey, np.random.default_rng(seed), 1.0) - grey).max() < 0.3
        turned = changes._season(green.copy(), np.random.default_rng(seed), 1.0)
        assert np.abs(turned - green).max() > 0.05
    bluish = np.tile(np.array((0.3, 0.4, 0.6), np.float32), (32, 32, 1))
    assert np.allclose(changes._season(bluish, np.random.default_rng(0), 1.0), bluish, atol=1e-6)


def test_grey_stays_grey_when_colours_leak_into_each_other() -> None:
    """Gains may tint it; what leaks between channels may not: a light and a dark grey keep their ratio."""
    levels = np.stack([np.full((8, 8, 3), level, np.float32) for level in (0.2, 0.6)])
    for seed in range(12):
        dark, light = (changes._colour(level, np.random.default_rng(seed), 1.0)[0, 0] for level in levels)
        assert light / dark == pytest.approx(np.full(3, 3.0), rel=1e-3)


def test_noise_has_the_strength_it_draws_and_no_mean() -> None:
    light = np.full((128, 128, 3), 0.5, np.float32)
    off = [changes._noise(light, np.random.default_rng(seed), 1.0) - light for seed in range(12)]
    spreads = [float(noise.std()) for noise in off]
    assert 0.004 < min(spreads) < max(spreads) < 0.052
    assert max(spreads) > 2 * min(spreads)
    assert max(abs(float(noise.mean())) for noise in off) < 0.002


def test_vignetting_is_darker_away_from_its_middle_and_nowhere_brighter() -> None:
    light = np.full((96, 96, 3), 0.5, np.float32)
    for seed in range(6):
        dim = changes._vignette(light, np.random.default_rng(seed), 1.0)[..., 0]
        assert dim.max() <= 0.5 + 1e-6
        assert min(dim[0, 0], dim[0, -1], dim[-1, 0], dim[-1, -1]) < dim[40:56, 40:56].min()


def test_parked_cars_are_small_and_few() -> None:
    road = np.full((192, 192, 3), 90, np.uint8)
    shares = [
        float((changes._objects(road, np.random.default_rng(seed)) != road).any(axis=2).mean()) for seed in range(20)
    ]
    assert min(shares) > 0
    assert max(shares) < 0.08
    assert (road == 90).all(), "what is drawn on is a copy"


def test_a_block_of_a_new_building_has_a_colour_of_the_scene() -> None:
    scene = np.full((96, 96, 3), 120, np.uint8)
    for seed in range(10):
        blocks = changes._erased(scene, np.random.default_rng(seed))
        colours = np.unique(blocks.reshape(-1, 3), axis=0).astype(int)
        apart = np.abs(colours[:, None] - colours[None]).max(axis=2) + 999 * np.eye(len(colours), dtype=int)
        assert apart.min(axis=1).max() <= 40, "near the scene's colour, or an earlier block's"
        assert 0 < (blocks != scene).any(axis=2).mean() < 0.34
