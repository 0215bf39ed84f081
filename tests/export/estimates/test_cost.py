"""Multiply-accumulates and bytes, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from export.estimates.cost import cost_of
from runtime.errors import ExportError
from tests.export.small_graph import graph


@pytest.mark.parametrize("batch", [1, 3])
def test_multiply_accumulates_are_those_counted_by_hand(small: ModelProto, batch: int) -> None:
    macs = {kernel.name: kernel.macs for kernel in cost_of(small, batch).kernels}
    assert macs == {
        "/Cast": 0,
        "/Transpose": 0,
        "backbone/Conv": batch * (4 * 3) * 4 * (3 * 3 * 3),  # places, output channels, window of all inputs
        "backbone/Depthwise": batch * (4 * 3) * 4 * (3 * 3),
        "/ReduceMean": 0,
        "head/Gemm": batch * 5 * 4,
    }


def test_a_product_of_tokens_counts_every_row(small: ModelProto) -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], name="/Cast", to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "w"], ["y"], name="backbone/MatMul"),
        helper.make_node("ReduceMean", ["y", "axes"], ["embedding"], name="/ReduceMean", keepdims=0),
    ]
    weights = {"w": np.zeros((3, 7), np.float32), "axes": np.array([1, 2], np.int64)}
    assert cost_of(graph(nodes, weights, dim=7), 2).macs == 2 * 8 * 6 * 7 * 3


def test_bytes_are_what_a_kernel_reads_and_leaves_for_others(small: ModelProto) -> None:
    cost = cost_of(small)
    kernels = {kernel.name: kernel for kernel in cost.kernels}
    conv, depthwise = kernels["backbone/Conv"], kernels["backbone/Depthwise"]
    # In: picture, weights, bias; out: what Relu makes. c1 stays inside, as Relu is fused to the convolution.
    assert conv.moved == {"nchw": 3 * 8 * 6, "w1": 4 * 3 * 9, "b1": 4, "r1": 4 * 4 * 3}
    assert depthwise.moved == {"r1": 48, "w2": 36, "sum": 48}
    assert [conv.bytes_moved(cost.widths[p]) for p in ("fp32", "fp16")] == [4 * 304, 2 * 304]
    assert conv.bytes_moved(cost.widths["int8"]) == 144 + 108 + 2 * 4 + 48  # a bias is not quantised
    assert depthwise.bytes_moved(cost.widths["int8"]) == 48 + 36 + 2 * 48
    assert kernels["/Cast"].bytes_moved(cost.widths["fp16"]) == 144 + 4 * 144  # camera bytes, then FP32
    assert kernels["head/Gemm"].bytes_moved(cost.widths["int8"]) == 4 * (4 + 20 + 5)


def test_a_shape_that_the_graph_does_not_tell_is_named() -> None:
    nodes = [
        helper.make_node("NonZero", ["image"], ["found"], name="backbone/NonZero"),  # (4, as many as there are)
        helper.make_node("ReduceSum", ["found", "axes"], ["sum"], name="/ReduceSum"),
        helper.make_node("Cast", ["sum"], ["embedding"], name="/Cast", to=TensorProto.FLOAT),
    ]
    with pytest.raises(ExportError, match=r"backbone/NonZero \(NonZero\) has the tensor found, whose shape"):
        cost_of(graph(nodes, {"axes": np.array([1], np.int64)}, dim=1), batch=4)
