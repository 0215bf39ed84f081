"""INT8 as Q/DQ nodes in the graph, placed where TensorRT fuses them.

Per-channel symmetric weights, per-tensor symmetric activations, zero-points 0, no Q/DQ on a bias. Q/DQ stands at the
inputs of convolutions and of products with weights (never between one and its activation), on one side of a residual
Add, and between a convolution and a LayerNorm, where TensorRT would else choose slower mixed kernels.
LayerNorm, GELU, Softmax, pooling, head and norm stay float, and so does a convolution that reads the picture: three
channels fill no integer kernel, and rounding bytes to another grid made a seventh of a trained network's noise.

Scales are numbers that FP16 holds, so that the graph means the same once its floats are halved
(``export.graphs.precision``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from export.graphs.precision import copied, in_body, replace_nodes
from export.graphs.wiring import readers_of
from export.int8.ranges import Range

_CHANNELS = {"Conv": 1, "MatMul": -1}  # axis of the channels that one reads
OUTPUT_AXIS: Mapping[str, int] = {"Conv": 0, "MatMul": 1}  # axis of its weight's output channels
_COLOURS = 3  # channels of a picture
_LEAST_SCALE = np.float32(2**-24)  # the least that FP16 holds


def quantised_nodes(model: ModelProto, keep_float: Collection[str] = ()) -> list[str]:
    """Return the names of the nodes that :func:`to_int8` quantises: convolutions and products with weights."""
    return [node.name for node in _to_quantise(model, keep_float)]


def quantised_activations(model: ModelProto, keep_float: Collection[str] = ()) -> dict[str, int]:
    """Return the names of the activations that get a Q/DQ pair, with the axis of their channels."""
    before_norm = _before_layer_norm(model)
    axes: dict[str, int] = {}
    for node in _to_quantise(model, keep_float):
        axes.setdefault(node.input[0], _CHANNELS[node.op_type])
        if node.output[0] in before_norm:
            axes.setdefault(node.output[0], 1)
    return axes


def to_int8(model: ModelProto, ranges: Mapping[str, Range], keep_float: Collection[str] = ()) -> ModelProto:
    """Return a copy with Q/DQ pairs; ``ranges`` has an entry for each of :func:`quantised_activations`.

    ``keep_float`` names nodes that stay as they are. The mean error that rounding a convolution's weights makes is
    taken out of its bias (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
    ICCV 2019, section 4.2, with measured means).
    """
    twin = copied(model)
    weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    chosen, before_norm = set(quantised_nodes(model, keep_float)), _before_layer_norm(model)
    pairs: dict[str, str] = {}  # tensor -> what its Q/DQ pair makes of it
    nodes: list[NodeProto] = []
    for node in twin.graph.node:
        if node.name not in chosen:
            _read_pairs(node, pairs, before_norm)
            nodes.append(node)
            continue
        source, weight = node.input[0], node.input[1]
        if source not in pairs:
            pairs[source] = f"{source}.dq"
            nodes += _activation_pair(twin, source, ranges[source].scale)
        axis = OUTPUT_AXIS[node.op_type]
        steps, scale = quantise_weight(weights[weight], axis)
        if weight not in pairs:
            pairs[weight] = f"{weight}.dq"
            nodes.append(_weight(twin, weight, steps, scale, axis=axis))
        if len(node.input) > 2:
            error = weights[weight] - steps * along(scale, steps.ndim, axis)
            bias = weights[node.input[2]] + mean_response(error, ranges[source].channel_mean)
            node.input[2] = _add(twin, f"{node.output[0]}.bias", bias.astype(np.float32))
        node.input[0], node.input[1] = pairs[source], pairs[weight]
        nodes.append(node)
        if node.output[0] in before_norm:
            pairs[node.output[0]] = f"{node.output[0]}.dq"
            nodes += _activation_pair(twin, node.output[0], ranges[node.output[0]].scale)
    replace_nodes(twin, nodes)
    return twin


def _to_quantise(model: ModelProto, keep_float: Collection[str]) -> Iterator[NodeProto]:
    """Yield the nodes that are quantised, in the graph's order."""
    weights = {w.name: w.dims for w in model.graph.initializer if len(w.dims) >= 2}
    made_in_body = {name for node in model.graph.node if in_body(node) for name in node.output}
    for node in model.graph.node:
        if node.op_type not in _CHANNELS or not in_body(node) or node.input[1] not in weights:
            continue
        reads_picture = node.input[0] not in made_in_body and weights[node.input[1]][1] <= _COLOURS
        if node.name not in keep_float and not reads_picture:
            yield node


def _before_layer_norm(model: ModelProto) -> set[str]:
    """Return outputs of convolutions that a LayerNorm alone reads, through a Transpose where there is one."""
    readers, outputs = readers_of(model), set()
    for node in model.graph.node:
        reads = readers.get(node.output[0], []) if node.op_type == "Conv" else []
        while len(reads) == 1 and reads[0].op_type == "Transpose":
            reads = readers.get(reads[0].output[0], [])
        if len(reads) == 1 and reads[0].op_type == "LayerNormalization":
            outputs.add(node.output[0])
    return outputs


def _read_pairs(node: NodeProto, pairs: Mapping[str, str], before_norm: Collection[str]) -> None:
    """Let a node that stays float read what was quantised already, where TensorRT fuses that."""
    if node.op_type == "Add" and in_body(node):
        # The skip branch is a convolution's input already; the other side, the later one, stays float, to be fused.
        order = list(pairs)
        quantised = [i for i, name in enumerate(node.input) if name in pairs]
        if quantised:
            skip = min(quantised, key=lambda i: order.index(node.input[i]))
            node.input[skip] = pairs[node.input[skip]]
    elif node.input and node.input[0] in before_norm:
        node.input[0] = pairs.get(node.input[0], node.input[0])


def quantise_weight(
    weight: NDArray[np.float32],  # (O, I, h, w), or with O elsewhere
    axis: int = 0,  # of the output channels
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:  # the weight's shape, (O,)
    """Return symmetric steps in -127..127 and one scale an output channel."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    scale = half_up(np.abs(weight).max(axis=others).astype(np.float32) / np.float32(127))
    return np.clip(np.rint(weight / along(scale, weight.ndim, axis)), -127, 127).astype(np.int8), scale


def half_up(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the next numbers that FP16 holds: a range gets no narrower, and no scale is 0, which TensorRT refuses."""
    with np.errstate(over="ignore"):
        near = np.maximum(scale, _LEAST_SCALE).astype(np.float16)
        up = np.nextafter(near, np.float16(np.inf))
    return np.asarray(np.where(near < scale, up, near), np.float32)


def along(values: NDArray[np.float32], ndim: int, axis: int) -> NDArray[np.float32]:
    """Return (N,) values shaped so that they multiply along one axis of ``ndim``."""
    return values.reshape([-1 if i == axis else 1 for i in range(ndim)])


def mean_response(
    weight: NDArray[np.float32],  # (O, I / groups, h, w)
    channel_mean: NDArray[np.float64],  # (I,)
) -> NDArray[np.float64]:  # (O,)
    """Return the answer of a convolution to an input that is flat at its mean, borders aside."""
    summed = weight.sum(axis=(2, 3), dtype=np.float64)  # (O, I / groups)
    groups = len(channel_mean) // summed.shape[1]
    by_group = summed.reshape(groups, -1, summed.shape[1])
    response: NDArray[np.float64] = np.einsum("goi,gi->go", by_group, channel_mean.reshape(groups, -1)).ravel()
    return response


def _activation_pair(model: ModelProto, source: str, scale: np.float32) -> list[NodeProto]:
    """Return Q and DQ for a tensor, their constants added to the graph."""
    step, zero = _add(model, f"{source}.scale", half_up(np.asarray(scale))), _add(model, f"{source}.zero", np.int8(0))
    return [
        helper.make_node("QuantizeLinear", [source, step, zero], [f"{source}.q"], name=f"q/{source}"),
        helper.make_node("DequantizeLinear", [f"{source}.q", step, zero], [f"{source}.dq"], name=f"dq/{source}"),
    ]


def _weight(
    model: ModelProto, name: str, steps: NDArray[np.int8], scale: NDArray[np.float32], *, axis: int
) -> NodeProto:
    """Add a quantised weight to the graph, and return the node that gives it back as floats."""
    zero = _add(model, f"{name}.zero", np.zeros(len(scale), np.int8))
    inputs = [_add(model, f"{name}.int8", steps), _add(model, f"{name}.scale", scale), zero]
    return helper.make_node("DequantizeLinear", inputs, [f"{name}.dq"], name=f"dq/{name}", axis=axis)


def _add(model: ModelProto, name: str, values: NDArray[np.generic] | np.generic) -> str:
    """Add a constant to the graph, and return its name."""
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name
