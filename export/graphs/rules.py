"""The rules that an encoder graph must keep to be built well by TensorRT, as data; ``breaches`` says what breaks each.

Nothing is imported here, so that ``python -m export.lint --help`` needs neither numpy nor onnx.
"""

from __future__ import annotations

from dataclasses import dataclass

OPSET = 18  # TensorRT 10.3, the oldest that we serve, reads all of it
OPSET_OF_HALF_SCALES = 19  # the first whose Q/DQ takes them


@dataclass(frozen=True, slots=True)
class Rule:
    """A property that a good graph has; an ``id`` never changes its meaning."""

    id: str
    name: str
    text: str
    """What must hold, in a line."""


RULES = (
    Rule("SF01", "outer-types", "one input `image` (uint8), one output `embedding` (float32)"),
    Rule(
        "SF02",
        "opset",
        "opset 18 of ai.onnx and no other domain, which every TensorRT from 10.3 on reads in full; 19 for FP16 scales",
    ),
    Rule(
        "SF03",
        "fixed-shape",
        "the batch alone may vary: height, width and D are numbers, and no node's shape depends on data",
    ),
    Rule("SF04", "known-operator", "every operator is one that TensorRT's parser reads"),
    Rule(
        "SF05",
        "own-name",
        "every node has a name of its own: profiles, findings and layers kept in FP16 go by it",
    ),
    Rule("SF06", "one-file", "weights are in the graph's own file: a bundle hashes that one"),
    Rule("SF07", "finite-weight", "no weight or scale is NaN or infinite, and none is FP64"),
    Rule(
        "SF08",
        "float-tail",
        "pooling, head and norm stay FP32: outside the backbone nothing reads Q/DQ or an FP16 weight",
    ),
    Rule("SF09", "qdq-pair", "Q is read by DQ alone, at the same scale; DQ reads Q or a weight"),
    Rule("SF10", "zero-point-0", "Q/DQ is symmetric: every zero-point is 0, and INT8"),
    Rule(
        "SF11",
        "per-channel-weights",
        "a quantised weight has one scale an output channel: a scale for all of it ruins depthwise networks",
    ),
    Rule("SF12", "no-bias-qdq", "a bias has no Q/DQ: TensorRT scales it itself"),
    Rule(
        "SF13",
        "no-qdq-before-relu",
        "nothing stands between a convolution and its activation, which TensorRT runs as one",
    ),
    Rule(
        "SF14",
        "one-side-of-add",
        "a residual Add has Q/DQ on one side at most: the other is fused into the convolution that makes it",
    ),
    Rule(
        "SF15",
        "qdq-before-layernorm",
        "Q/DQ stands between a quantised convolution and a LayerNorm, or TensorRT picks slower mixed kernels",
    ),
    Rule(
        "SF16",
        "one-float-type",
        "beside FP16 scales no scale or weight of the backbone is FP32: layers between would run in FP32, and slower",
    ),
)
