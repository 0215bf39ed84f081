"""What every engine refuses to embed."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.model.engine import check_pictures


@pytest.mark.parametrize(
    "pictures",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 9, 3), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
        np.zeros((2, 3, 8, 8), np.uint8),
    ],
    ids=["floats", "one picture", "no square", "alpha", "channels first"],
)
def test_pictures_of_another_side_or_kind_are_refused_with_both_sides_of_the_mismatch(pictures: np.ndarray) -> None:
    check_pictures(np.zeros((len(pictures), 8, 8, 3), np.uint8), 8)  # any number of the encoder's side is taken
    with pytest.raises(ValueError, match=rf"pictures are {pictures.dtype} .*; expected uint8 \(B, \(8, 8, 3\)\)"):
        check_pictures(pictures, 8)
