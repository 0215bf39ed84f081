"""An encoder that can be worked out on paper, as a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.bundles.golden import golden_of
from runtime.model.bundle import ENCODER_FILES, Bundle, write_manifest

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


def with_golden(folder: Path, **changes: object) -> Bundle:
    """The bundle with what its engines must compute."""
    golden = golden_of(folder, ENCODER_FILES, SIDE_PX)
    write_manifest(folder, Bundle.open(folder).manifest.with_sections(golden={**golden, **changes}))
    return Bundle.open(folder)
