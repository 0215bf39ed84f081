"""INT8 as Q/DQ nodes in the graph, placed where TensorRT fuses them.

Per-channel symmetric weights, per-tensor symmetric activations, zero-points 0, no Q/DQ on a bias; Q/DQ stands at the
inputs of convolutions, never between a convolution and its activation, and on one side of a residual Add.
Pooling, head and norm stay FP32.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from export.precision import in_body, replace_nodes
from export.ranges import Range


def quantised_inputs(model: ModelProto) -> list[str]:
    """Names of the activations that :func:`to_int8` quantises: what the backbone's convolutions read."""
    return list(dict.fromkeys(node.input[0] for node in model.graph.node if _is_quantised(node)))


def to_int8(model: ModelProto, ranges: Mapping[str, Range]) -> ModelProto:
    """A copy with Q/DQ pairs; ``ranges`` has an entry for each of :func:`quantised_inputs`.

    The mean error that rounding the weights makes is taken out of the bias (Nagel et al., "Data-Free Quantization
    Through Weight Equalization and Bias Correction", ICCV 2019, section 4.2, with measured means).
    """
    twin = ModelProto()
    twin.CopyFrom(model)
    weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    pairs: dict[str, str] = {}  # activation -> what its Q/DQ pair makes of it
    nodes: list[NodeProto] = []
    for node in twin.graph.node:
        if _is_quantised(node):
            source = node.input[0]
            if source not in pairs:
                pairs[source] = f"{source}.dq"
                nodes += _activation_pair(twin, source, ranges[source].scale)
            weight = weights[node.input[1]]
            steps, scale = quantise_weight(weight)
            nodes.append(_weight(twin, node.input[1], steps, scale))
            if len(node.input) > 2:
                error = weight - steps * scale.reshape(-1, 1, 1, 1)
                bias = weights[node.input[2]] + mean_response(error, ranges[source].channel_mean)
                node.input[2] = _add(twin, f"{node.input[2]}.corrected", bias.astype(np.float32))
            node.input[0], node.input[1] = pairs[source], f"{node.input[1]}.dq"
        elif node.op_type == "Add" and in_body(node):
            # The skip branch is a convolution's input already; the other side stays float, to be fused.
            for i, name in enumerate(node.input):
                node.input[i] = pairs.get(name, name)
        nodes.append(node)
    replace_nodes(twin, nodes)
    return twin


def _is_quantised(node: NodeProto) -> bool:
    return bool(node.op_type == "Conv" and in_body(node))


def quantise_weight(
    weight: NDArray[np.float32],  # (O, I, h, w)
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:  # (O, I, h, w), (O,)
    """Symmetric steps in -127..127 and one scale an output channel."""
    scale = np.maximum(np.abs(weight).max(axis=(1, 2, 3)), 1e-12).astype(np.float32) / np.float32(127)
    return np.clip(np.rint(weight / scale.reshape(-1, 1, 1, 1)), -127, 127).astype(np.int8), scale


def mean_response(
    weight: NDArray[np.float32],  # (O, I / groups, h, w)
    channel_mean: NDArray[np.float64],  # (I,)
) -> NDArray[np.float64]:  # (O,)
    """What a convolution answers to an input that is flat at its mean, borders aside."""
    summed = weight.sum(axis=(2, 3), dtype=np.float64)  # (O, I / groups)
    groups = len(channel_mean) // summed.shape[1]
    by_group = summed.reshape(groups, -1, summed.shape[1])
    response: NDArray[np.float64] = np.einsum("goi,gi->go", by_group, channel_mean.reshape(groups, -1)).ravel()
    return response


def _activation_pair(model: ModelProto, source: str, scale: np.float32) -> list[NodeProto]:
    step, zero = _add(model, f"{source}.scale", scale), _add(model, f"{source}.zero", np.int8(0))
    return [
        helper.make_node("QuantizeLinear", [source, step, zero], [f"{source}.q"], name=f"q/{source}"),
        helper.make_node("DequantizeLinear", [f"{source}.q", step, zero], [f"{source}.dq"], name=f"dq/{source}"),
    ]


def _weight(model: ModelProto, name: str, steps: NDArray[np.int8], scale: NDArray[np.float32]) -> NodeProto:
    zero = _add(model, f"{name}.zero", np.zeros(len(scale), np.int8))
    inputs = [_add(model, f"{name}.int8", steps), _add(model, f"{name}.scale", scale), zero]
    return helper.make_node("DequantizeLinear", inputs, [f"{name}.dq"], name=f"dq/{name}", axis=0)


def _add(model: ModelProto, name: str, values: NDArray[np.generic] | np.generic) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name
