"""A graph that keeps every rule, and how to break each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.graphs.rules import OPSET, OPSET_OF_HALF_SCALES


def good() -> ModelProto:
    """A backbone of one quantised convolution with its activation, a residual Add and a LayerNorm; a float head."""
    body = "backbone.stem"
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], name="/Cast", to=TensorProto.FLOAT),
        helper.make_node("QuantizeLinear", ["floats", "s", "z"], ["floats.q"], name="q/floats"),
        helper.make_node("DequantizeLinear", ["floats.q", "s", "z"], ["floats.dq"], name="dq/floats"),
        helper.make_node("DequantizeLinear", ["w.int8", "w.s", "w.z"], ["w.dq"], name="dq/w", axis=0),
        helper.make_node("Conv", ["floats.dq", "w.dq", "b"], ["conv"], name=f"{body}/Conv", pads=[0, 1, 0, 1]),
        helper.make_node("Relu", ["conv"], ["act"], name=f"{body}/Relu"),
        helper.make_node("Add", ["act", "floats.dq"], ["sum"], name=f"{body}/Add"),
        helper.make_node("Conv", ["floats.dq", "w.dq", "b"], ["conv2"], name=f"{body}/Conv_2", pads=[0, 1, 0, 1]),
        helper.make_node("QuantizeLinear", ["conv2", "s", "z"], ["conv2.q"], name="q/conv2"),
        helper.make_node("DequantizeLinear", ["conv2.q", "s", "z"], ["conv2.dq"], name="dq/conv2"),
        helper.make_node("Transpose", ["conv2.dq"], ["turned"], name=f"{body}/Transpose", perm=[0, 1, 3, 2]),
        helper.make_node("LayerNormalization", ["turned", "g"], ["normed"], name=f"{body}/LayerNormalization"),
        helper.make_node("Add", ["sum", "normed"], ["both"], name=f"{body}/Add_2"),
        helper.make_node("ReduceMean", ["both", "axes"], ["pooled"], name="/ReduceMean", keepdims=0),
        helper.make_node("Gemm", ["pooled", "h"], ["embedding"], name="head/Gemm", transB=1),
    ]
    weights: dict[str, NDArray[np.generic]] = {
        "s": np.array(0.1, np.float32),
        "z": np.array(0, np.int8),
        "w.int8": np.ones((4, 4, 1, 3), np.int8),
        "w.s": np.full(4, 0.1, np.float32),
        "w.z": np.zeros(4, np.int8),
        "b": np.zeros(4, np.float32),
        "g": np.ones(4, np.float32),
        "axes": np.array([2, 3], np.int64),
        "h": np.ones((2, 4), np.float32),
    }
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "good",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 4, 4, 4])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 2])],
            [numpy_helper.from_array(np.asarray(values), name) for name, values in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def node(model: ModelProto, name: str) -> NodeProto:
    return next(n for n in model.graph.node if n.name == name)


def replace_weight(model: ModelProto, name: str, values: NDArray[np.generic]) -> None:
    weight = next(w for w in model.graph.initializer if w.name == name)
    weight.CopyFrom(numpy_helper.from_array(np.asarray(values), name))


def read_bytes_as_floats(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def raise_opset(model: ModelProto) -> None:
    model.opset_import[0].version = 21


def leave_side_open(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"


def take_what_is_not_zero(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("NonZero", ["both"], ["found"], name="backbone/NonZero"))


def use_an_unread_operator(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Det", ["both"], ["det"], name="backbone/Det"))


def use_a_domain_of_one_runtime(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Gelu", ["both"], ["g2"], name="backbone/Gelu", domain="com.microsoft"))


def name_two_nodes_alike(model: ModelProto) -> None:
    node(model, "backbone.stem/Conv_2").name = "backbone.stem/Conv"


def move_weights_out(model: ModelProto) -> None:
    entry = model.graph.initializer[3].external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def spoil_a_weight(model: ModelProto) -> None:
    replace_weight(model, "b", np.array([0, np.nan, 0, 0], np.float32))


def double_a_weight(model: ModelProto) -> None:
    replace_weight(model, "b", np.zeros(4, np.float64))


def quantise_the_pooling(model: ModelProto) -> None:
    node(model, "/ReduceMean").input[0] = "conv2.dq"


def halve_the_head(model: ModelProto) -> None:
    replace_weight(model, "h", np.ones((2, 4), np.float16))


def read_integers(model: ModelProto) -> None:
    node(model, "backbone.stem/Relu").input[0] = "conv2.q"


def dequantise_at_another_scale(model: ModelProto) -> None:
    node(model, "dq/conv2").input[1] = "w.s"


def shift_zero(model: ModelProto) -> None:
    replace_weight(model, "z", np.array(3, np.int8))


def scale_the_whole_weight(model: ModelProto) -> None:
    replace_weight(model, "w.s", np.array(0.1, np.float32))


def scale_input_channels(model: ModelProto) -> None:
    node(model, "dq/w").attribute[0].i = 1


def quantise_bias(model: ModelProto) -> None:
    node(model, "backbone.stem/Conv").input[2] = "conv2.dq"


def quantise_before_activation(model: ModelProto) -> None:
    node(model, "backbone.stem/Relu").input[0] = "conv2.dq"


def quantise_both_sides(model: ModelProto) -> None:
    node(model, "backbone.stem/Add").input[0] = "conv2.dq"


def leave_norm_after_int8(model: ModelProto) -> None:
    node(model, "backbone.stem/Transpose").input[0] = "conv2"
    model.graph.node.remove(node(model, "q/conv2"))
    model.graph.node.remove(node(model, "dq/conv2"))


def halve_one_scale(model: ModelProto) -> None:
    replace_weight(model, "w.s", np.full(4, 0.1, np.float16))
    model.opset_import[0].version = OPSET_OF_HALF_SCALES


def leave_opset_of_fp32_scales(model: ModelProto) -> None:
    for name in ("s", "w.s", "b", "g"):
        weight = next(w for w in model.graph.initializer if w.name == name)
        replace_weight(model, name, numpy_helper.to_array(weight).astype(np.float16))


BROKEN: list[tuple[Callable[[ModelProto], None], str, str]] = [
    (read_bytes_as_floats, "SF01 outer-types", "image (float)"),
    (raise_opset, "SF02 opset", "21"),
    (leave_opset_of_fp32_scales, "SF02 opset", "expected {'ai.onnx': 19}"),
    (leave_side_open, "SF03 fixed-shape", "image is ['batch', 'height', 4, 4]"),
    (take_what_is_not_zero, "SF03 fixed-shape", "backbone/NonZero (NonZero)"),
    (use_an_unread_operator, "SF04 known-operator", "backbone/Det (Det)"),
    (use_a_domain_of_one_runtime, "SF04 known-operator", "backbone/Gelu (Gelu)"),
    (name_two_nodes_alike, "SF05 own-name", "2 nodes are called 'backbone.stem/Conv'"),
    (move_weights_out, "SF06 one-file", "w.s"),
    (spoil_a_weight, "SF07 finite-weight", "b"),
    (double_a_weight, "SF07 finite-weight", "b is FP64"),
    (quantise_the_pooling, "SF08 float-tail", "/ReduceMean (ReduceMean)"),
    (halve_the_head, "SF08 float-tail", "head/Gemm (Gemm)"),
    (read_integers, "SF09 qdq-pair", "q/conv2 (QuantizeLinear)"),
    (dequantise_at_another_scale, "SF09 qdq-pair", "q/conv2 (QuantizeLinear)"),
    (shift_zero, "SF10 zero-point-0", "q/floats (QuantizeLinear)"),
    (scale_the_whole_weight, "SF11 per-channel-weights", "dq/w (DequantizeLinear)"),
    (scale_input_channels, "SF11 per-channel-weights", "dq/w (DequantizeLinear)"),
    (quantise_bias, "SF12 no-bias-qdq", "backbone.stem/Conv (Conv)"),
    (quantise_before_activation, "SF13 no-qdq-before-relu", "backbone.stem/Relu (Relu)"),
    (quantise_both_sides, "SF14 one-side-of-add", "backbone.stem/Add (Add)"),
    (halve_one_scale, "SF16 one-float-type", "backbone.stem/Conv (Conv)"),
    (leave_norm_after_int8, "SF15 qdq-before-layernorm", "backbone.stem/LayerNormalization (LayerNormalization)"),
]
