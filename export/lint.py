"""Rules that an encoder graph must keep to be built well by TensorRT; each finding names its rule and the node.

names                one input ``image`` (uint8), one output ``embedding`` (float32)
opset                the version that all supported TensorRT releases read in full
zero-point-0         Q/DQ is symmetric
per-channel-weights  a quantised weight has one scale an output channel
no-bias-qdq          a bias stays float: the runtime scales it itself
no-qdq-before-relu   nothing stands between a convolution and its activation
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from runtime.errors import GateError

OPSET = 18  # TensorRT 10.3, the oldest that we serve, reads all of it
_QDQ = ("QuantizeLinear", "DequantizeLinear")
_ACTIVATIONS = ("Clip", "Relu")


def check_lint(model: ModelProto, what: str) -> None:
    """Raise GateError with the first findings, if there are any."""
    findings = lint(model)
    if findings:
        more = f" (and {len(findings) - 3} more)" if len(findings) > 3 else ""
        raise GateError(f"{what} breaks rules for TensorRT: {'; '.join(findings[:3])}{more}")


def lint(model: ModelProto) -> list[str]:
    """All findings, as ``rule: node``; empty for a good graph."""
    weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    findings = [*_names(model), *_opset(model)]
    rules: tuple[Callable[[NodeProto, _Weights, _Makers], Iterator[str]], ...] = (
        _zero_points,
        _per_channel,
        _bias,
        _before_activation,
    )
    return findings + [
        finding for node in model.graph.node for rule in rules for finding in rule(node, weights, makers)
    ]


_Weights = Mapping[str, NDArray[np.generic]]
_Makers = Mapping[str, NodeProto]


def _names(model: ModelProto) -> Iterator[str]:
    wanted = (("input", "image", TensorProto.UINT8), ("output", "embedding", TensorProto.FLOAT))
    for side, name, kind in wanted:
        found = [(v.name, v.type.tensor_type.elem_type) for v in getattr(model.graph, side)]
        if found != [(name, kind)]:
            yield f"names: {side} is {found}, expected {[(name, kind)]}"


def _opset(model: ModelProto) -> Iterator[str]:
    found = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if found != {"ai.onnx": OPSET}:
        yield f"opset: {found}, expected {{'ai.onnx': {OPSET}}}"


def _zero_points(node: NodeProto, weights: _Weights, makers: _Makers) -> Iterator[str]:
    if node.op_type in _QDQ and len(node.input) > 2 and np.any(weights[node.input[2]] != 0):
        yield f"zero-point-0: {node.name}"


def _per_channel(node: NodeProto, weights: _Weights, makers: _Makers) -> Iterator[str]:
    if node.op_type == "DequantizeLinear" and node.input[0] in weights:
        held, scales = weights[node.input[0]], weights[node.input[1]]
        if held.ndim > 1 and scales.shape != held.shape[:1]:
            yield f"per-channel-weights: {node.name}"


def _bias(node: NodeProto, weights: _Weights, makers: _Makers) -> Iterator[str]:
    if node.op_type in ("Conv", "Gemm") and len(node.input) > 2:
        maker = makers.get(node.input[2])
        if maker is not None and maker.op_type in _QDQ:
            yield f"no-bias-qdq: {node.name}"


def _before_activation(node: NodeProto, weights: _Weights, makers: _Makers) -> Iterator[str]:
    if node.op_type in _ACTIVATIONS and node.input[0] in makers and makers[node.input[0]].op_type in _QDQ:
        yield f"no-qdq-before-relu: {node.name}"
