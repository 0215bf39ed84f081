"""What every engine refuses to embed."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.model.engine import check_pictures


def test_a_batch_of_any_length_of_the_encoders_side_is_taken() -> None:
    for count in (0, 1, 17):
        check_pictures(np.zeros((count, 8, 8, 3), np.uint8), 8)


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
def test_anything_else_is_refused_with_both_sides_of_the_mismatch(pictures: np.ndarray) -> None:
    with pytest.raises(ValueError, match=rf"pictures are {pictures.dtype} .*; expected uint8 \(B, \(8, 8, 3\)\)"):
        check_pictures(pictures, 8)
