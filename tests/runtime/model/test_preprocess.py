"""From a picture of ground to what an encoder reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.model.preprocess import FILL, encoder_input


def drawn(side_px: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), np.uint8)


def test_a_picture_of_the_encoders_side_comes_back_as_it_is() -> None:
    picture = drawn(24)
    assert (encoder_input(picture, None, 24) == picture).all()
    assert (encoder_input(picture, np.ones((24, 24), np.bool_), 24) == picture).all()


@given(factor=st.integers(2, 5), side_px=st.integers(2, 8), seed=st.integers(0, 99))
def test_a_larger_picture_is_shrunk_by_the_mean_of_the_area_under_each_pixel(
    factor: int, side_px: int, seed: int
) -> None:
    picture = drawn(factor * side_px, seed)
    means = picture.reshape(side_px, factor, side_px, factor, 3).mean(axis=(1, 3))
    got = encoder_input(picture, None, side_px)
    assert got.shape == (side_px, side_px, 3) and got.dtype == np.uint8 and got.flags.c_contiguous
    assert np.abs(got - means).max() <= 0.5 + 1e-6


def test_ground_that_was_not_seen_is_one_grey_before_it_is_shrunk() -> None:
    picture, seen = drawn(8), np.ones((8, 8), np.bool_)
    seen[:, :4] = False
    whole, small = encoder_input(picture, seen, 8), encoder_input(picture, seen, 4)
    assert (whole[:, :4] == FILL).all() and (whole[:, 4:] == picture[:, 4:]).all()
    assert (small[:, :2] == FILL).all()
    assert (picture != whole).any(), "the caller's picture was painted over"


def test_a_smaller_picture_is_enlarged_between_its_own_values() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:, 2:] = 200
    got = encoder_input(picture, None, 16)
    assert got.shape == (16, 16, 3)
    assert (np.diff(got[..., 0].astype(int), axis=1) >= 0).all(), "linear: no ringing"
    assert got.min() == 0 and got.max() == 200


@pytest.mark.parametrize(
    "patch",
    [np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))],
    ids=["no square", "grey", "four channels", "floats"],
)
def test_anything_but_a_square_of_rgb_bytes_is_refused(patch: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(side, side, 3\)"):
        encoder_input(patch, None, 4)
