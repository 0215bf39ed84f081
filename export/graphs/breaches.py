"""What in a graph breaks each of the rules in ``export.graphs.rules``, node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from onnx import NodeProto, TensorProto

from export.graphs.precision import BODY
from export.graphs.rules import OPSET, OPSET_OF_HALF_SCALES
from export.graphs.wiring import WiredGraph

_QUANTISE, _DEQUANTISE = "QuantizeLinear", "DequantizeLinear"
_ACTIVATIONS = frozenset({"Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Relu", "Sigmoid"})
_OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": -1}  # of a weight's output channels
_DATA_DEPENDENT = frozenset({"Compress", "If", "Loop", "NonMaxSuppression", "NonZero", "Scan", "Unique"})
# Of opset 18, what the operator table of NVIDIA's parser (onnx-tensorrt, docs/operators.md) does not promise.
_UNREAD = frozenset(
    """
    AffineGrid Bernoulli BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow CenterCropPad Col2Im
    Compress ConcatFromSequence ConvInteger DFT Det DynamicQuantizeLinear HammingWindow HannWindow MatMulInteger
    MaxRoiPool MaxUnpool MelWeightMatrix Multinomial NegativeLogLikelihoodLoss Optional OptionalGetElement
    OptionalHasElement QLinearConv QLinearMatMul RandomNormal RandomNormalLike STFT SequenceAt SequenceConstruct
    SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shrink SoftmaxCrossEntropyLoss
    SplitToSequence StringNormalizer TfIdfVectorizer Unique
    """.split()  # noqa: SIM905  (one word a line would be two screens)
)


def _outer_types(graph: WiredGraph) -> Iterator[str]:
    """Yield each side of the graph that has other tensors than it should."""
    for side, name, kind in (("input", "image", TensorProto.UINT8), ("output", "embedding", TensorProto.FLOAT)):
        tensors = [(v.name, v.type.tensor_type.elem_type) for v in getattr(graph.model.graph, side)]
        if tensors != [(name, kind)]:
            stated = [f"{n} ({TensorProto.DataType.Name(k).lower()})" for n, k in tensors]
            yield f"{side} is {stated}, expected {name} ({TensorProto.DataType.Name(kind).lower()})"


def _opset(graph: WiredGraph) -> Iterator[str]:
    """Yield the opsets where they are others than expected."""
    opsets = {entry.domain or "ai.onnx": entry.version for entry in graph.model.opset_import}
    expected = {"ai.onnx": OPSET_OF_HALF_SCALES if _has_half_scales(graph) else OPSET}
    if opsets != expected:
        yield f"opset is {opsets}, expected {expected}"


def _fixed_shape(graph: WiredGraph) -> Iterator[str]:
    """Yield outer tensors with an open side, and nodes whose shape depends on data."""
    for value in (*graph.model.graph.input, *graph.model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if len(dims) < 2 or not all(dim.dim_value > 0 for dim in dims[1:]):
            yield f"{value.name} is {[dim.dim_value or dim.dim_param or '?' for dim in dims]}"
    yield from (_described(node) for node in graph.model.graph.node if node.op_type in _DATA_DEPENDENT)


def _known_operator(graph: WiredGraph) -> Iterator[str]:
    """Yield nodes that TensorRT's parser does not promise to read."""
    for node in graph.model.graph.node:
        if node.op_type in _UNREAD or node.domain not in ("", "ai.onnx"):
            yield _described(node)


def _own_name(graph: WiredGraph) -> Iterator[str]:
    """Yield names that no node or several nodes have."""
    for name, count in Counter(node.name for node in graph.model.graph.node).items():
        if not name or count > 1:
            yield f"{count} nodes are called {name!r}"


def _one_file(graph: WiredGraph) -> Iterator[str]:
    """Yield weights that are kept in another file."""
    for name, weight in graph.weights.items():
        if weight.external_data:
            yield name


def _finite_weight(graph: WiredGraph) -> Iterator[str]:
    """Yield weights that are not finite, or are FP64."""
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    for name, weight in graph.weights.items():
        if weight.external_data:
            continue
        if weight.data_type == TensorProto.DOUBLE:
            yield f"{name} is FP64"
        elif weight.data_type in floats and not np.isfinite(graph.values(name)).all():
            yield name


def _float_tail(graph: WiredGraph) -> Iterator[str]:
    """Yield nodes outside the backbone that read reduced precision."""
    half_weights = {name for name, weight in graph.weights.items() if weight.data_type == TensorProto.FLOAT16}
    for node in graph.model.graph.node:
        if node.name.startswith(BODY) or node.op_type in ("Cast", _QUANTISE, _DEQUANTISE):
            continue
        if any(name in half_weights or graph.made_by(name, _DEQUANTISE) for name in node.input):
            yield _described(node)


def _qdq_pair(graph: WiredGraph) -> Iterator[str]:
    """Yield Q and DQ nodes that are no pair."""
    for node in graph.model.graph.node:
        readers = graph.readers.get(node.output[0], [])
        if node.op_type == _QUANTISE:
            paired = readers and all(r.op_type == _DEQUANTISE and r.input[1:] == node.input[1:] for r in readers)
        else:
            paired = node.input[0] in graph.weights or graph.made_by(node.input[0], _QUANTISE)
        if node.op_type in (_QUANTISE, _DEQUANTISE) and not paired:
            yield _described(node)


def _zero_point(graph: WiredGraph) -> Iterator[str]:
    """Yield Q and DQ nodes with another zero-point than an INT8 zero."""
    for node in graph.model.graph.node:
        if node.op_type in (_QUANTISE, _DEQUANTISE):
            given = node.input[2] if len(node.input) > 2 else ""
            zero = graph.values(given) if given in graph.weights else None
            if zero is None or zero.dtype != np.int8 or zero.any():
                yield _described(node)


def _per_channel(graph: WiredGraph) -> Iterator[str]:
    """Yield DQ nodes of weights that have no scale for each output channel."""
    for node in graph.model.graph.node:
        if node.op_type not in _OUTPUT_AXIS or not graph.made_by(node.input[1], _DEQUANTISE):
            continue
        dequantise = graph.makers[node.input[1]]
        held, scale = graph.weights.get(dequantise.input[0]), graph.weights.get(dequantise.input[1])
        axis = next((a.i for a in dequantise.attribute if a.name == "axis"), 1)
        if held is None or scale is None:
            continue  # a product of two activations
        ndim = len(held.dims)
        wanted = _gemm_axis(node) if node.op_type == "Gemm" else _OUTPUT_AXIS[node.op_type] % ndim
        if axis % ndim != wanted or list(scale.dims) != [held.dims[wanted]]:
            yield _described(dequantise)


def _gemm_axis(node: NodeProto) -> int:
    """Return the axis of a Gemm's output channels: its weight is (I, O), or (O, I) where it is transposed."""
    return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1


def _float_bias(graph: WiredGraph) -> Iterator[str]:
    """Yield nodes whose bias is quantised."""
    for node in graph.model.graph.node:
        has_bias = node.op_type in ("Conv", "ConvTranspose", "Gemm") and len(node.input) > 2
        if has_bias and graph.made_by(node.input[2], _QUANTISE, _DEQUANTISE):
            yield _described(node)


def _fused_activation(graph: WiredGraph) -> Iterator[str]:
    """Yield activations that a Q/DQ pair parts from their convolution."""
    for node in graph.model.graph.node:
        if node.op_type in _ACTIVATIONS and graph.made_by(node.input[0], _DEQUANTISE):
            source = graph.makers[node.input[0]].input[0]
            made = graph.makers[source].input[0] if source in graph.makers else source
            if graph.made_by(made, "Conv", "ConvTranspose"):
                yield _described(node)


def _one_side(graph: WiredGraph) -> Iterator[str]:
    """Yield residual Adds with Q/DQ on both sides."""
    for node in graph.model.graph.node:
        if node.op_type == "Add" and all(graph.made_by(name, _DEQUANTISE) for name in node.input):
            yield _described(node)


def _before_layer_norm(graph: WiredGraph) -> Iterator[str]:
    """Yield LayerNorms that read a quantised convolution without Q/DQ between."""
    for node in graph.model.graph.node:
        if node.op_type == "LayerNormalization":
            source = node.input[0]
            while graph.made_by(source, "Transpose"):
                source = graph.makers[source].input[0]
            alone = len(graph.readers.get(source, [])) == 1
            if alone and graph.made_by(source, "Conv") and graph.made_by(graph.makers[source].input[0], _DEQUANTISE):
                yield _described(node)


def _one_float(graph: WiredGraph) -> Iterator[str]:
    """Yield nodes of the backbone that read an FP32 scale or weight beside FP16 scales."""
    for node in graph.model.graph.node:
        inside = node.name.startswith(BODY) or node.op_type in (_QUANTISE, _DEQUANTISE)
        held = (graph.weights[name].data_type for name in node.input if name in graph.weights)
        if inside and TensorProto.FLOAT in held and _has_half_scales(graph):
            yield _described(node)


def _has_half_scales(graph: WiredGraph) -> bool:
    scales = (node.input[1] for node in graph.model.graph.node if node.op_type in (_QUANTISE, _DEQUANTISE))
    return any(graph.weights[name].data_type == TensorProto.FLOAT16 for name in scales if name in graph.weights)


def _described(node: NodeProto) -> str:
    return f"{node.name or '(no name)'} ({node.op_type})"


BREACHES: Mapping[str, Callable[[WiredGraph], Iterator[str]]] = {
    "SF01": _outer_types,
    "SF02": _opset,
    "SF03": _fixed_shape,
    "SF04": _known_operator,
    "SF05": _own_name,
    "SF06": _one_file,
    "SF07": _finite_weight,
    "SF08": _float_tail,
    "SF09": _qdq_pair,
    "SF10": _zero_point,
    "SF11": _per_channel,
    "SF12": _float_bias,
    "SF13": _fused_activation,
    "SF14": _one_side,
    "SF15": _before_layer_norm,
    "SF16": _one_float,
}
"""By the id of the rule."""
