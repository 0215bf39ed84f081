"""Noise is laid out in metres: one seed, one pattern, whatever the resolution."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from train.world.noise import fractal, grain, patches, rows

SHAPE = (400, 500)


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize("seed", range(3))
def test_patches_have_mean_0_and_a_deviation_of_about_1_4(seed: int) -> None:
    noise = patches(SHAPE, 0.5, 4.0, rng(seed))
    assert noise.shape == SHAPE
    assert abs(noise.mean()) < 0.1
    assert 1.25 < noise.std() < 1.55


def test_the_same_seed_shows_the_same_patches_at_twice_the_resolution() -> None:
    coarse, fine = patches(SHAPE, 0.5, 6.0, rng()), patches((800, 1000), 0.25, 6.0, rng())
    shrunk = cv2.resize(fine, SHAPE[::-1], interpolation=cv2.INTER_AREA)
    assert correlation(coarse, shrunk) > 0.98
    assert abs(correlation(coarse, patches(SHAPE, 0.5, 6.0, rng(4)))) < 0.1


def test_patches_are_alike_within_their_size_and_not_beyond() -> None:
    noise = patches(SHAPE, 0.5, 10.0, rng())
    near, far = (correlation(noise[:, :-step], noise[:, step:]) for step in (4, 60))  # 2 m and 30 m
    assert near > 0.9
    assert abs(far) < 0.15


def test_octaves_add_finer_noise_of_less_strength() -> None:
    alone, all_three = fractal(SHAPE, 0.5, 20.0, 1, rng()), fractal(SHAPE, 0.5, 20.0, 3, rng())
    finer = all_three - alone
    assert 0.5 < finer.std() / alone.std() < 1.2  # 0.7 and 0.49 of it, added in squares: 0.85
    steps = [np.abs(np.diff(noise, axis=1)).mean() for noise in (alone, all_three)]
    assert steps[1] > 1.5 * steps[0]


def test_grain_has_mean_0_and_deviation_1_and_neighbours_that_are_a_little_alike() -> None:
    noise = grain(SHAPE, 0.8, rng())
    assert (float(noise.mean()), float(noise.std())) == pytest.approx((0.0, 1.0), abs=1e-3)
    assert 0.3 < correlation(noise[:, :-1], noise[:, 1:]) < 0.9
    assert abs(correlation(noise[:, :-8], noise[:, 8:])) < 0.05


def test_rows_depend_on_the_distance_alone() -> None:
    distance = np.tile(np.linspace(-10, 10, 81, dtype=np.float32), (5, 1))
    noise = rows(distance, 1.0, rng())
    assert (noise == noise[:1]).all()
    assert np.array_equal(rows(distance.T, 1.0, rng()), noise.T)
    steps = np.diff(noise[0], 2)  # straight between the nodes, a metre (four samples) apart
    assert (np.abs(steps) > 1e-4).mean() < 0.35
