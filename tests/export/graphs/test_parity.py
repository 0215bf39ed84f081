from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.graphs.parity import check_close, check_parity, embed
from runtime.errors import GateError


def unit_rows(count: int = 4, dim: int = 8) -> NDArray[np.float32]:
    rows = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_worst_row_is_told_and_returned() -> None:
    want = unit_rows()
    got = want.copy()
    got[2] = -got[2]
    assert check_parity(want, got, what="graph", min_cosine=-1.1) == pytest.approx(-1)
    with pytest.raises(GateError, match="graph: picture 2 has cosine -1"):
        check_parity(want, got, what="graph", min_cosine=0.9)


def test_nan_fails_every_gate() -> None:
    want = unit_rows()
    got = want.copy()
    got[1, 3] = np.nan
    with pytest.raises(GateError, match="nan"):
        check_parity(want, got, what="graph", min_cosine=-1.0)
    with pytest.raises(GateError, match="nan"):
        check_close(want, got, what="graph", max_error=1e9)


def test_another_shape_fails() -> None:
    with pytest.raises(GateError, match=r"shape \(4, 4\), expected \(4, 8\)"):
        check_parity(unit_rows(), unit_rows()[:, :4], what="graph", min_cosine=0.0)


def picture_mean(path: Path, batch: int | str = "batch") -> Path:
    """A graph whose embedding is a picture's mean colour, worked out on paper."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["embedding"], keepdims=0),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [batch, 2, 2, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, 3])
    axes = [numpy_helper.from_array(np.array([1, 2]), "axes")]
    graph = helper.make_graph(nodes, "mean", [image], [embedding], axes)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize(("optimise", "fuse"), [(True, False), (False, False), (False, True)])
def test_embeddings_are_those_of_the_graph_however_it_is_run(tmp_path: Path, optimise: bool, fuse: bool) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (37, 2, 2, 3), np.uint8)
    got = embed(picture_mean(tmp_path / "mean.onnx"), pictures, optimise=optimise, fuse=fuse)
    np.testing.assert_allclose(got, pictures.mean(axis=(1, 2)), rtol=1e-6)


def test_batches_are_as_large_as_asked_for_and_progress_ends_at_the_last_picture(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (8, 2, 2, 3), np.uint8)
    ticks: list[tuple[int, int]] = []
    graph = picture_mean(tmp_path / "mean.onnx", batch=4)  # takes nothing else
    got = embed(graph, pictures, batch=4, tick=lambda done, total: ticks.append((done, total)))
    np.testing.assert_allclose(got, pictures.mean(axis=(1, 2)), rtol=1e-6)
    assert ticks == [(4, 8), (8, 8)]
    embed(picture_mean(tmp_path / "any.onnx"), pictures, batch=3, tick=lambda done, total: ticks.append((done, total)))
    assert ticks[2:] == [(3, 8), (6, 8), (8, 8)]


def test_the_largest_difference_is_returned_and_refused_over_the_limit() -> None:
    want = unit_rows()
    got = want.copy()
    got[3, 5] += 0.01
    assert check_close(want, got, what="matcher", max_error=0.02) == pytest.approx(0.01, rel=1e-4)
    with pytest.raises(GateError, match=r"matcher: differs by up to 1\.00e-02, allowed 1e-03"):
        check_close(want, got, what="matcher", max_error=1e-3)
    with pytest.raises(GateError, match="shape"):
        check_close(want, got[:2], what="matcher", max_error=1.0)
