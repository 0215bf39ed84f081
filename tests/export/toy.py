"""A network of five convolutions, one of which INT8 ruins: a channel a thousand times as large as the others."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from calib.samples.sources import Sample
from calib.samples.stored_set import write_set
from export.graphs.drawn_ground import land_like
from runtime.model.bundle import file_entry, write_manifest
from runtime.model.manifest import FORMAT

SIDE_PX, DIM = 32, 16
BAD = "backbone.2/Conv"  # reads the stretched channel
NODES = [f"backbone.{i}/Conv" for i in range(5)]


def toy_model() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    widths = (3, 8, 8, 8, 8, DIM)
    weights = [rng.normal(size=(o, i, 3, 3)) / np.sqrt(9 * i) for i, o in itertools.pairwise(widths)]
    weights[1][0] *= 1000
    weights[2][:, 0] /= 1000
    held = {f"w{i}": weight.astype(np.float32) for i, weight in enumerate(weights)}
    held |= {f"b{i}": rng.normal(0, 0.05, len(weight)).astype(np.float32) for i, weight in enumerate(weights)}
    held |= {"half": np.float32(127.5), "axes": np.array([2, 3], np.int64)}
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], name="/Cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["chw"], name="/Transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["chw", "half"], ["centred"], name="/Sub"),
        helper.make_node("Div", ["centred", "half"], ["x0"], name="/Div"),
    ]
    for i, name in enumerate(NODES):
        last = i == len(NODES) - 1
        out = "maps" if last else f"c{i}"
        nodes.append(
            helper.make_node(
                "Conv", [f"x{i}", f"w{i}", f"b{i}"], [out], name=name, pads=[1] * 4, strides=[2 - i % 2] * 2
            )
        )
        if not last:
            nodes.append(helper.make_node("Relu", [out], [f"x{i + 1}"], name=f"backbone.{i}/Relu"))
    nodes += [
        helper.make_node("ReduceMean", ["maps", "axes"], ["pooled"], name="/Mean", keepdims=0),
        helper.make_node("LpNormalization", ["pooled"], ["embedding"], name="/Norm", axis=1, p=2),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE_PX, SIDE_PX, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM])
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()]
    graph = helper.make_graph(nodes, "toy", [image], [embedding], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def toy_bundle(path: Path, pictures: int = 32) -> Path:
    """The toy as a bundle with a calibration set."""
    path.mkdir()
    onnx.save(toy_model(), path / "encoder.onnx")
    files = {"encoder.onnx": file_entry(path / "encoder.onnx", "fp32")}
    samples = [Sample(str(i), picture) for i, picture in enumerate(land_like(pictures, SIDE_PX, SIDE_PX))]
    calibration = {"sha256": write_set(path, samples, 0)}
    encoder = {"side_px": SIDE_PX, "dim": DIM}
    about = {"format": FORMAT, "kind": "encoder", "name": "toy", "files": files, "encoder": encoder}
    write_manifest(path, {**about, "calibration": calibration})
    return path
