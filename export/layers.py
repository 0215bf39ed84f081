"""Where in a network does INT8 noise arise? The quantised graph beside FP32, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper

_BATCH = 4  # all outputs of a batch are held at once


class Layer(NamedTuple):
    """The output of one node in both graphs."""

    node: str
    op_type: str
    quantised: bool
    sqnr_db: float  # signal to quantisation noise: 10 log10 of the power of FP32's over that of the difference


def layer_noise(
    fp32: ModelProto,
    reduced: ModelProto,  # computes tensors of the same names
    nodes: Mapping[str, bool],  # names of nodes, and whether each is quantised
    pictures: NDArray[np.uint8],  # (N, S, S, 3)
) -> list[Layer]:
    """The noise in each node's output, which all layers up to it have made; in the graph's order."""
    chosen = [node for node in fp32.graph.node if node.name in nodes]
    names = [node.output[0] for node in chosen]
    sessions = [_session(model, names) for model in (fp32, reduced)]
    signal, noise = np.zeros(len(names)), np.zeros(len(names))
    for start in range(0, len(pictures), _BATCH):
        batch = {"image": pictures[start : start + _BATCH]}
        wanted, got = (session.run(names, batch) for session in sessions)
        signal += [np.square(want, dtype=np.float64).sum() for want in wanted]
        noise += [np.square(want - have, dtype=np.float64).sum() for want, have in zip(wanted, got, strict=True)]
    sqnr_db = 10 * np.log10(np.maximum(signal, 1e-30) / np.maximum(noise, 1e-30))
    return [
        Layer(node.name, node.op_type, nodes[node.name], float(db)) for node, db in zip(chosen, sqnr_db, strict=True)
    ]


def _session(model: ModelProto, names: Collection[str]) -> Any:
    import onnxruntime as ort

    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend([helper.make_empty_tensor_value_info(name) for name in names])
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # as written: see export.parity
    return ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
