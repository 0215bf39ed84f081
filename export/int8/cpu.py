"""The INT8 graph once more, for ONNX Runtime on a CPU: the same weights, Q/DQ where its integer kernels want them.

Placed by TensorRT's rules (``export.int8.quantize``) a graph leaves those kernels nothing to do, and is three times
slower than FP32: a ReLU stays between a convolution and a Q that keeps room for negative values, signed activations
find few kernels, and a residual Add with a float side holds its convolution in floats. So in the twin

- what is never negative has 255 steps over its range and not 127: finer, and a ReLU falls away in the rounding;
- everything else keeps its grid, counted from 128;
- a residual Add has Q/DQ on both sides where its sum has;
- floats are FP32, as a CPU has no FP16 kernels.

Both graphs are held to FP32 by the same gates. A map belongs to the graph, whichever twin computes it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.graphs.precision import copied, in_body, replace_nodes
from export.graphs.wiring import makers_of
from export.int8.ranges import LEVELS, Range

_STEPS = 255  # of uint8


def summed_activations(model: ModelProto) -> dict[str, int]:
    """Return what :func:`to_cpu` needs the ranges of beside the graph's: convolutions that end in a residual Add.

    Names of tensors, and the axis of their channels.
    """
    makers = makers_of(model)
    return dict.fromkeys((name for node in model.graph.node for name in _convolved_sides(node, makers)), 1)


def to_cpu(
    int8: ModelProto,  # as export.int8.quantize makes it
    ranges: Mapping[str, Range],  # of summed_activations too
) -> ModelProto:
    """Return the twin; what both compute differs by how finely activations are rounded."""
    twin = copied(int8)
    weights = {w.name: w for w in twin.graph.initializer}
    makers = makers_of(twin)
    quantised = {node.input[0] for node in twin.graph.node if node.op_type == "QuantizeLinear"}
    nodes: list[NodeProto] = []
    paired: set[str] = set()
    for node in twin.graph.node:
        if node.op_type == "QuantizeLinear":
            paired.add(node.input[0])
            scale, zero = _unsigned(node, makers, weights)
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(scale, node.input[1]))
            weights[node.input[2]].CopyFrom(numpy_helper.from_array(zero, node.input[2]))
        if node.output[0] in quantised and any(name.endswith(".dq") for name in node.input):
            for i, name in enumerate(node.input):
                if name in _convolved_sides(node, makers) and (name in paired or name not in quantised):
                    nodes += [] if name in paired else _pair(twin, name, ranges[name].scale)
                    paired.add(name)
                    node.input[i] = f"{name}.dq"
        nodes.append(node)
    replace_nodes(twin, nodes)
    return twin


def _convolved_sides(node: NodeProto, makers: Mapping[str, NodeProto]) -> list[str]:
    """Return the inputs of a residual Add that a convolution makes; none for any other node."""
    if node.op_type != "Add" or not in_body(node) or not all(name in makers for name in node.input):
        return []
    return [name for name in node.input if makers[name].op_type == "Conv"]


def _unsigned(
    node: NodeProto,  # QuantizeLinear
    makers: Mapping[str, NodeProto],
    weights: Mapping[str, TensorProto],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:  # (), ()
    """Return the scale and zero-point of an activation as uint8."""
    scale = numpy_helper.to_array(weights[node.input[1]])
    most = _most(makers.get(node.input[0]), weights)
    if most is None:
        return scale, np.array(_STEPS // 2 + 1, np.uint8)
    fine = np.asarray(min(float(scale) * LEVELS, most) / _STEPS, np.float32)
    while fine * np.float32(_STEPS) > most:  # by a rounding error; the Clip would have to stay
        fine = np.nextafter(fine, np.float32(0))
    return np.asarray(fine, np.float32), np.array(0, np.uint8)


def _most(maker: NodeProto | None, weights: Mapping[str, TensorProto]) -> float | None:
    """Return the most that a node makes which makes nothing negative; None for any other."""
    if maker is None or maker.op_type not in ("Relu", "Clip"):
        return None
    if maker.op_type == "Relu":
        return float("inf")
    bounds = [float(numpy_helper.to_array(weights[name])) if name in weights else np.nan for name in maker.input[1:]]
    return bounds[1] if len(bounds) == 2 and bounds[0] >= 0 else None


def _pair(model: ModelProto, source: str, scale: np.float32) -> list[NodeProto]:
    """Return Q and DQ on the grid of 255 steps for a tensor, their constants added to the graph."""
    constants = {f"{source}.scale": np.asarray(scale), f"{source}.zero": np.array(_STEPS // 2 + 1, np.uint8)}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return [
        helper.make_node("QuantizeLinear", [source, *constants], [f"{source}.q"], name=f"q/{source}"),
        helper.make_node("DequantizeLinear", [f"{source}.q", *constants], [f"{source}.dq"], name=f"dq/{source}"),
    ]
