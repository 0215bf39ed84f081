"""A toy encoder as a real bundle: it loads in a millisecond and finds a generated town again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from runtime.model.bundle import ENCODER_FILES, file_entry, write_manifest
from runtime.model.manifest import FORMAT

SIDE_PX, DIM = 32, 24


def write_toy_bundle(path: Path, seed: int) -> Path:
    """Eight by eight means of the picture, their average taken out, through a drawn projection onto the sphere."""
    weight = np.random.default_rng(seed).normal(size=(8 * 8 * 3, DIM)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["nchw"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1]),
        helper.make_node("Sub", ["flat", "mean"], ["contrast"]),
        helper.make_node("MatMul", ["contrast", "weight"], ["projected"]),
        helper.make_node("LpNormalization", ["projected"], ["embedding"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE_PX, SIDE_PX, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.mkdir()
    file = path / ENCODER_FILES["fp32"]
    onnx.save(model, file)
    write_manifest(
        path,
        {
            "format": FORMAT,
            "kind": "encoder",
            "name": path.stem,
            "encoder": {"backbone": "toy", "dim": DIM, "truncations": [], "side_px": SIDE_PX},
            "files": {file.name: file_entry(file, "fp32")},
        },
    )
    return path
