"""Precision as a property of a graph, not of a builder's flags: TensorRT 11 took those away.

An INT8 graph for a device has the floats of its backbone in FP16 too: what stands between Q/DQ pairs, the layers that
INT8 hurts, the scales. In a strongly typed network all of that would else run in FP32, slower than the FP16 graph.
Scales of FP16 came to ONNX with opset 19; a Cast beside Q/DQ instead would keep TensorRT from fusing them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.graphs.rules import OPSET_OF_HALF_SCALES
from runtime.errors import ExportError

BODY = "backbone"  # the part of an encoder that may lose precision; pooling, head and norm stay FP32
QDQ = ("QuantizeLinear", "DequantizeLinear")
_FP32_ONLY = frozenset({"Cast", "Resize"})  # they name or demand FP32 themselves
_SMALL = 4096  # values: biases are not worth a rounding error


def in_body(node: NodeProto) -> bool:
    """Tell whether the node came from the encoder's backbone (see ``export.graphs.trace``)."""
    return bool(node.name.startswith(BODY))


def to_fp16(model: ModelProto) -> ModelProto:
    """Return a copy whose backbone computes in FP16 between two casts; inputs, outputs, pooling, head, norm stay FP32.

    Q/DQ pairs belong to the backbone, and the opset of a graph that has any rises to 19. Raises ExportError where the
    backbone has an operator or a weight that FP16 does not hold.
    """
    model = onnx.shape_inference.infer_shapes(model)
    if any(node.op_type in QDQ for node in model.graph.node):
        model.opset_import[0].version = OPSET_OF_HALF_SCALES
    floats = _float_values(model)
    weights = {w.name: w for w in model.graph.initializer}
    made_in_body = {name for node in model.graph.node if _halved(node) for name in node.output}
    twins: dict[str, str] = {}  # what the border crossed -> its name on the other side
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        inside = _halved(node)
        if inside and node.op_type in _FP32_ONLY:
            raise ExportError(f"{node.name}: {node.op_type} inside the backbone has no FP16 form here; keep FP32")
        for i, name in enumerate(node.input):
            if name not in floats or (name in made_in_body) == inside:
                continue
            if name not in twins:
                twins[name] = f"{name}.{'fp16' if inside else 'fp32'}"
                if name in weights:
                    model.graph.initializer.append(_half(weights[name], twins[name]))
                else:
                    nodes.append(_cast(name, twins[name], TensorProto.FLOAT16 if inside else TensorProto.FLOAT))
            node.input[i] = twins[name]
        nodes.append(node)
    replace_nodes(model, nodes)
    return model


def _halved(node: NodeProto) -> bool:
    """Tell whether the node is to compute in FP16."""
    return in_body(node) or node.op_type in QDQ


def store_halved(model: ModelProto) -> ModelProto:
    """Return a copy that keeps its large weights as FP16 and casts them when it is loaded: FP32 in half the bytes.

    Every runtime folds a cast of a constant away at start. A CPU has no FP16 kernels, so that this is the small graph
    that is also fast there.
    """
    model = copied(model)
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT and np.prod(weight.dims) > _SMALL:
            casts.append(_cast(f"{weight.name}.stored", weight.name, TensorProto.FLOAT))
            weight.CopyFrom(_half(weight, f"{weight.name}.stored"))
    replace_nodes(model, [*casts, *model.graph.node])
    return model


def load_graph(path: Path) -> ModelProto:
    """Read a graph with its weights as FP32, whichever way the file keeps them."""
    model = onnx.load(path)
    stored = {w.name: w for w in model.graph.initializer if w.name.endswith(".stored")}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        else:
            nodes.append(node)
    replace_nodes(model, nodes)
    return model


def _float_values(model: ModelProto) -> set[str]:
    """Return the names of all FP32 tensors, weights among them."""
    typed = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    values = {v.name for v in typed if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    return values | {w.name for w in model.graph.initializer if w.data_type == TensorProto.FLOAT}


def _half(weight: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(weight)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise ExportError(f"{weight.name} reaches {np.abs(values).max():.3g}, which FP16 does not hold; keep FP32")
    return numpy_helper.from_array(half, name)


def _cast(source: str, target: str, to: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast/{target}", to=to)


def copied(model: ModelProto) -> ModelProto:
    """Return a copy of a graph, to be changed."""
    twin = ModelProto()
    twin.CopyFrom(model)
    return twin


def replace_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> None:
    """Put ``nodes`` in place of a graph's; drop weights that nothing reads, and inner types that may no longer hold."""
    nodes = list(nodes)
    read = {name for node in nodes for name in node.input}
    weights = [w for w in model.graph.initializer if w.name in read]
    for field in (model.graph.node, model.graph.initializer, model.graph.value_info):
        del field[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(weights)
