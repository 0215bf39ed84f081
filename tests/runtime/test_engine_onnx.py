from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import BundleError
from runtime.model.bundle import ENCODER_FILES, Bundle, file_entry, write_manifest
from runtime.model.engine_onnx import OnnxEngine
from runtime.model.load import open_engine

SIDE_PX = 4


def write_graph(path: Path) -> None:
    """The mean colour of a picture, to unit norm: an encoder that can be worked out on paper."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("ReduceL2", ["mean", "last"], ["norm"], keepdims=1),
        helper.make_node("Div", ["mean", "norm"], ["embedding"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE_PX, SIDE_PX, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3])
    axes = [numpy_helper.from_array(np.array(a), n) for n, a in (("axes", [1, 2]), ("last", [1]))]
    graph = helper.make_graph(nodes, "mean", [image], [embedding], axes)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mean.bundle"
    path.mkdir()
    files = {}
    for precision, name in ENCODER_FILES.items():
        write_graph(path / name)
        files[name] = file_entry(path / name, precision)
    encoder = {"side_px": SIDE_PX, "dim": 3}
    write_manifest(path, {"format": 1, "kind": "encoder", "name": "mean", "files": files, "encoder": encoder})
    return path


def test_the_graph_reads_rgb_bytes_and_answers_a_batch(folder: Path) -> None:
    engine = OnnxEngine(Bundle.open(folder), threads=1)
    pictures = np.zeros((2, SIDE_PX, SIDE_PX, 3), np.uint8)
    pictures[0], pictures[1] = (255, 0, 0), (0, 30, 40)
    np.testing.assert_allclose(engine.embed(pictures), [[1, 0, 0], [0, 0.6, 0.8]], atol=1e-6)
    assert (engine.side_px, engine.dim) == (SIDE_PX, 3)
    assert engine.encoder_sha256 == Bundle.open(folder).sha256("encoder.onnx")


def test_fp32_is_taken_unless_another_precision_is_asked_for(folder: Path) -> None:
    assert open_engine(folder, None, threads=1).precision == "fp32"
    assert open_engine(folder, "int8", threads=1).precision == "int8"
    with pytest.raises(BundleError, match="precision 'fp64' is unknown; expected one of fp32, fp16, int8"):
        open_engine(folder, "fp64", threads=1)


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((1, 4, 4, 3), np.float32), np.zeros((4, 4, 3), np.uint8), np.zeros((1, 5, 4, 3), np.uint8)],
    ids=["floats", "no batch", "another size"],
)
def test_pictures_of_another_kind_are_refused(folder: Path, pictures: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        OnnxEngine(Bundle.open(folder), threads=1).embed(pictures)


def test_a_file_that_is_no_graph_is_refused_by_name(folder: Path) -> None:
    graph = folder / "encoder.onnx"
    graph.write_bytes(b"not a graph")
    manifest = dict(Bundle.open(folder).manifest)
    write_manifest(folder, {**manifest, "files": {"encoder.onnx": file_entry(graph, "fp32")}})
    with pytest.raises(BundleError, match=r"ONNX Runtime .* refuses .*encoder\.onnx"):
        OnnxEngine(Bundle.open(folder), threads=1)
