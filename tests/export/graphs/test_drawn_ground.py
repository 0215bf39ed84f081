"""Drawn ground is the same on every machine, and has contrast at every scale."""

from __future__ import annotations

import numpy as np
import pytest

from export.graphs.drawn_ground import land_like


def test_the_same_seed_and_size_draw_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = land_like(3, 48, 64), land_like(3, 48, 64), land_like(3, 48, 64, seed=1)
    assert (first == again).all() and (first != other).any()
    assert (first[0] != first[1]).any(), "every picture is another ground"
    assert (land_like(1, 48, 64)[0] == first[0]).all(), "more pictures do not change the first"


@pytest.mark.parametrize(("height_px", "width_px"), [(32, 32), (41, 96), (224, 160)])
def test_pictures_have_the_size_asked_for(height_px: int, width_px: int) -> None:
    pictures = land_like(2, height_px, width_px)
    assert pictures.shape == (2, height_px, width_px, 3) and pictures.dtype == np.uint8


def test_ground_has_contrast_from_pixels_to_the_whole_picture_and_uses_most_of_the_range() -> None:
    for picture in land_like(6, 128, 128).astype(np.float64):
        grey = picture.mean(axis=2)
        for side in (1, 4, 16, 32):  # block means still differ: neither flat nor white noise
            means = grey.reshape(128 // side, side, 128 // side, side).mean(axis=(1, 3))
            assert means.std() > 4
        assert np.ptp(picture) > 120
        fine = np.diff(grey.reshape(32, 4, 32, 4).mean(axis=(1, 3)), axis=1)
        assert np.median(np.abs(fine)) > 3, "texture is everywhere, not at the edges of blocks and roads alone"
    white = np.random.default_rng(0).integers(0, 256, (128, 128)).astype(np.float64)
    assert white.reshape(4, 32, 4, 32).mean(axis=(1, 3)).std() < 4, "white noise would fail at the coarsest"
