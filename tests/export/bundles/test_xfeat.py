from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from export.graphs.drawn_ground import land_like
from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import open_session


@pytest.fixture(scope="module")
def session(xfeat_bundle: Path) -> ort.InferenceSession:
    return open_session(Bundle.open(xfeat_bundle, "matcher").file("matcher.onnx"), threads=1)


def run(session: ort.InferenceSession, picture: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    names = ["descriptor", "keypoint", "reliability"]
    return dict(zip(names, session.run(names, {"image": picture}), strict=True))


@pytest.mark.parametrize(("height", "width"), [(64, 96), (160, 128)])
def test_any_size_in_steps_of_32_gives_unit_descriptors_and_probabilities(
    session: ort.InferenceSession, height: int, width: int
) -> None:
    found = run(session, land_like(1, height, width))
    cells = (height // 8, width // 8)
    assert found["descriptor"].shape == (1, 64, *cells)
    assert found["keypoint"].shape == (1, height, width)
    assert found["reliability"].shape == (1, *cells)
    np.testing.assert_allclose(np.linalg.norm(found["descriptor"], axis=1), 1, atol=1e-5)
    in_cell = found["keypoint"].reshape(cells[0], 8, cells[1], 8).sum(axis=(1, 3))
    assert (in_cell <= 1 + 1e-5).all() and in_cell.min() > 0  # the dustbin takes the rest
    assert (found["reliability"] >= 0).all() and (found["reliability"] <= 1).all()


def test_a_keypoint_is_found_at_the_corner_where_it_is_drawn(session: ort.InferenceSession) -> None:
    picture = np.full((1, 128, 128, 3), 90, np.uint8)
    picture[0, 41:, 70:] = 200
    keypoint = run(session, picture)["keypoint"][0]
    row, column = np.unravel_index(keypoint[16:112, 16:112].argmax(), (96, 96))
    assert abs(row + 16 - 41) <= 2 and abs(column + 16 - 70) <= 2
