"""Rules that an encoder graph must keep to be built well by TensorRT. Each yields what breaks it, node by node."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPSET = 18  # TensorRT 10.3, the oldest that we serve, reads all of it
OPSET_OF_HALF_SCALES = 19  # the first whose Q/DQ takes them
_BODY = "backbone"  # export.precision: the part that may lose precision
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


@dataclass(frozen=True, slots=True)
class Wired:
    """A graph, and who makes and reads each tensor."""

    model: ModelProto
    weights: Mapping[str, TensorProto]
    makers: Mapping[str, NodeProto]
    readers: Mapping[str, list[NodeProto]]

    @classmethod
    def of(cls, model: ModelProto) -> Wired:
        """Look it over once."""
        readers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        makers = {name: node for node in model.graph.node for name in node.output}
        return cls(model, {w.name: w for w in model.graph.initializer}, makers, readers)

    def made_by(self, tensor: str, *ops: str) -> bool:
        """Whether one of these operators makes the tensor."""
        return tensor in self.makers and self.makers[tensor].op_type in ops

    def values(self, tensor: str) -> NDArray[Any]:
        """A weight's numbers."""
        from onnx import numpy_helper

        values: NDArray[Any] = numpy_helper.to_array(self.weights[tensor])
        return values


def _outer_types(graph: Wired) -> Iterator[str]:
    """one input `image` (uint8), one output `embedding` (float32)"""
    from onnx import TensorProto

    for side, name, kind in (("input", "image", TensorProto.UINT8), ("output", "embedding", TensorProto.FLOAT)):
        found = [(v.name, v.type.tensor_type.elem_type) for v in getattr(graph.model.graph, side)]
        if found != [(name, kind)]:
            told = [f"{n} ({TensorProto.DataType.Name(k).lower()})" for n, k in found]
            yield f"{side} is {told}, expected {name} ({TensorProto.DataType.Name(kind).lower()})"


def _opset(graph: Wired) -> Iterator[str]:
    """opset 18 of ai.onnx and no other domain, which every TensorRT from 10.3 on reads in full; 19 for FP16 scales"""
    found = {entry.domain or "ai.onnx": entry.version for entry in graph.model.opset_import}
    expected = {"ai.onnx": OPSET_OF_HALF_SCALES if _has_half_scales(graph) else OPSET}
    if found != expected:
        yield f"opset is {found}, expected {expected}"


def _fixed_shape(graph: Wired) -> Iterator[str]:
    """the batch alone may vary: height, width and D are numbers, and no node's shape depends on data"""
    for value in (*graph.model.graph.input, *graph.model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if len(dims) < 2 or not all(dim.dim_value > 0 for dim in dims[1:]):
            yield f"{value.name} is {[dim.dim_value or dim.dim_param or '?' for dim in dims]}"
    yield from (_told(node) for node in graph.model.graph.node if node.op_type in _DATA_DEPENDENT)


def _known_operator(graph: Wired) -> Iterator[str]:
    """every operator is one that TensorRT's parser reads"""
    for node in graph.model.graph.node:
        if node.op_type in _UNREAD or node.domain not in ("", "ai.onnx"):
            yield _told(node)


def _own_name(graph: Wired) -> Iterator[str]:
    """every node has a name of its own: profiles, findings and layers kept in FP16 go by it"""
    for name, count in Counter(node.name for node in graph.model.graph.node).items():
        if not name or count > 1:
            yield f"{count} nodes are called {name!r}"


def _one_file(graph: Wired) -> Iterator[str]:
    """weights are in the graph's own file: a bundle hashes that one"""
    for name, weight in graph.weights.items():
        if weight.external_data:
            yield name


def _finite_weight(graph: Wired) -> Iterator[str]:
    """no weight or scale is NaN or infinite, and none is FP64"""
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    for name, weight in graph.weights.items():
        if weight.external_data:
            continue
        if weight.data_type == TensorProto.DOUBLE:
            yield f"{name} is FP64"
        elif weight.data_type in floats and not np.isfinite(graph.values(name)).all():
            yield name


def _float_tail(graph: Wired) -> Iterator[str]:
    """pooling, head and norm stay FP32: outside the backbone nothing reads Q/DQ or an FP16 weight"""
    from onnx import TensorProto

    halves = {name for name, weight in graph.weights.items() if weight.data_type == TensorProto.FLOAT16}
    for node in graph.model.graph.node:
        if node.name.startswith(_BODY) or node.op_type in ("Cast", _QUANTISE, _DEQUANTISE):
            continue
        if any(name in halves or graph.made_by(name, _DEQUANTISE) for name in node.input):
            yield _told(node)


def _qdq_pair(graph: Wired) -> Iterator[str]:
    """Q is read by DQ alone, at the same scale; DQ reads Q or a weight"""
    for node in graph.model.graph.node:
        readers = graph.readers.get(node.output[0], [])
        if node.op_type == _QUANTISE:
            paired = readers and all(r.op_type == _DEQUANTISE and r.input[1:] == node.input[1:] for r in readers)
        else:
            paired = node.input[0] in graph.weights or graph.made_by(node.input[0], _QUANTISE)
        if node.op_type in (_QUANTISE, _DEQUANTISE) and not paired:
            yield _told(node)


def _zero_point(graph: Wired) -> Iterator[str]:
    """Q/DQ is symmetric: every zero-point is 0, and INT8"""
    for node in graph.model.graph.node:
        if node.op_type in (_QUANTISE, _DEQUANTISE):
            given = node.input[2] if len(node.input) > 2 else ""
            zero = graph.values(given) if given in graph.weights else None
            if zero is None or zero.dtype != np.int8 or zero.any():
                yield _told(node)


def _per_channel(graph: Wired) -> Iterator[str]:
    """a quantised weight has one scale an output channel: a scale for all of it ruins depthwise networks"""
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
            yield _told(dequantise)


def _gemm_axis(node: NodeProto) -> int:
    """A Gemm's weight is (I, O), or (O, I) where it is transposed."""
    return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1


def _float_bias(graph: Wired) -> Iterator[str]:
    """a bias has no Q/DQ: TensorRT scales it itself"""
    for node in graph.model.graph.node:
        has_bias = node.op_type in ("Conv", "ConvTranspose", "Gemm") and len(node.input) > 2
        if has_bias and graph.made_by(node.input[2], _QUANTISE, _DEQUANTISE):
            yield _told(node)


def _fused_activation(graph: Wired) -> Iterator[str]:
    """nothing stands between a convolution and its activation, which TensorRT runs as one"""
    for node in graph.model.graph.node:
        if node.op_type in _ACTIVATIONS and graph.made_by(node.input[0], _DEQUANTISE):
            source = graph.makers[node.input[0]].input[0]
            made = graph.makers[source].input[0] if source in graph.makers else source
            if graph.made_by(made, "Conv", "ConvTranspose"):
                yield _told(node)


def _one_side(graph: Wired) -> Iterator[str]:
    """a residual Add has Q/DQ on one side at most: the other is fused into the convolution that makes it"""
    for node in graph.model.graph.node:
        if node.op_type == "Add" and all(graph.made_by(name, _DEQUANTISE) for name in node.input):
            yield _told(node)


def _before_layer_norm(graph: Wired) -> Iterator[str]:
    """Q/DQ stands between a quantised convolution and a LayerNorm, or TensorRT picks slower mixed kernels"""
    for node in graph.model.graph.node:
        if node.op_type == "LayerNormalization":
            source = node.input[0]
            while graph.made_by(source, "Transpose"):
                source = graph.makers[source].input[0]
            alone = len(graph.readers.get(source, [])) == 1
            if alone and graph.made_by(source, "Conv") and graph.made_by(graph.makers[source].input[0], _DEQUANTISE):
                yield _told(node)


def _one_float(graph: Wired) -> Iterator[str]:
    """beside FP16 scales no scale or weight of the backbone is FP32: layers between would run in FP32, and slower"""
    from onnx import TensorProto

    for node in graph.model.graph.node:
        inside = node.name.startswith(_BODY) or node.op_type in (_QUANTISE, _DEQUANTISE)
        held = (graph.weights[name].data_type for name in node.input if name in graph.weights)
        if inside and TensorProto.FLOAT in held and _has_half_scales(graph):
            yield _told(node)


def _has_half_scales(graph: Wired) -> bool:
    from onnx import TensorProto

    scales = (node.input[1] for node in graph.model.graph.node if node.op_type in (_QUANTISE, _DEQUANTISE))
    return any(graph.weights[name].data_type == TensorProto.FLOAT16 for name in scales if name in graph.weights)


def _told(node: NodeProto) -> str:
    return f"{node.name or '(no name)'} ({node.op_type})"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must hold; ``id`` never changes its meaning."""

    id: str
    name: str
    breaches: Callable[[Wired], Iterator[str]]

    @property
    def text(self) -> str:
        """What must hold, in a line."""
        return inspect.getdoc(self.breaches) or ""


RULES = (
    Rule("SF01", "outer-types", _outer_types),
    Rule("SF02", "opset", _opset),
    Rule("SF03", "fixed-shape", _fixed_shape),
    Rule("SF04", "known-operator", _known_operator),
    Rule("SF05", "own-name", _own_name),
    Rule("SF06", "one-file", _one_file),
    Rule("SF07", "finite-weight", _finite_weight),
    Rule("SF08", "float-tail", _float_tail),
    Rule("SF09", "qdq-pair", _qdq_pair),
    Rule("SF10", "zero-point-0", _zero_point),
    Rule("SF11", "per-channel-weights", _per_channel),
    Rule("SF12", "no-bias-qdq", _float_bias),
    Rule("SF13", "no-qdq-before-relu", _fused_activation),
    Rule("SF14", "one-side-of-add", _one_side),
    Rule("SF15", "qdq-before-layernorm", _before_layer_norm),
    Rule("SF16", "one-float-type", _one_float),
)
