"""INT8 noise in a network, layer by layer: the quantised graph beside FP32."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, helper

from export.graphs.precision import copied

_BATCH = 4  # all outputs of a batch are held at once


@dataclass(frozen=True, slots=True)
class LayerNoise:
    """The noise that INT8 leaves in the output of one node."""

    node: str
    op_type: str
    quantised: bool
    sqnr_db: float  # signal to quantisation noise: 10 log10 of the power of FP32's over that of the difference


def layer_noise(
    fp32: ModelProto,
    reduced: ModelProto,  # computes tensors of the same names
    nodes: Mapping[str, bool],  # names of nodes, and whether each is quantised
    pictures: NDArray[np.uint8],  # (N, S, S, 3)
) -> list[LayerNoise]:
    """Return the noise in each node's output, which all layers up to it have made; in the graph's order."""
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
        LayerNoise(node.name, node.op_type, nodes[node.name], float(db))
        for node, db in zip(chosen, sqnr_db, strict=True)
    ]


def _session(model: ModelProto, names: Collection[str]) -> ort.InferenceSession:
    """Start a session that also answers with inner tensors."""
    watched = copied(model)
    watched.graph.output.extend([helper.make_empty_tensor_value_info(name) for name in names])
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = (
        ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    )  # as written: see export.graphs.parity
    return ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
