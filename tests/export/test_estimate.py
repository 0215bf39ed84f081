"""Multiply-accumulates and bytes counted by hand, and a roofline that is never given out as a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.estimates.cost import cost_of
from export.estimate import BADLY, BOARDS, WELL, main, range_ms, time_us
from runtime.errors import ExportError
from runtime.model.bundle import FORMAT, file_entry, write_manifest


def graph(nodes: Sequence[NodeProto], weights: dict[str, NDArray[np.generic]], dim: int | str = 5) -> ModelProto:
    return helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 8, 6, 3])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])],
            [numpy_helper.from_array(values, name) for name, values in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )


@pytest.fixture
def small() -> ModelProto:
    """3x3 convolution of stride 2 to 4 channels, depthwise 3x3, mean, product to 5 numbers."""
    nodes = [
        helper.make_node("Cast", ["image"], ["bytes"], name="/Cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["bytes"], ["nchw"], name="/Transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "w1", "b1"], ["c1"], name="backbone/Conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="backbone/Relu"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="backbone/Depthwise", group=4, pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "r1"], ["sum"], name="backbone/Add"),
        helper.make_node("ReduceMean", ["sum", "axes"], ["pooled"], name="/ReduceMean", keepdims=0),
        helper.make_node("Gemm", ["pooled", "w3"], ["embedding"], name="head/Gemm", transB=1),
    ]
    weights: dict[str, NDArray[np.generic]] = {
        "w1": np.zeros((4, 3, 3, 3), np.float32),
        "b1": np.zeros(4, np.float32),
        "w2": np.zeros((4, 1, 3, 3), np.float32),
        "axes": np.array([2, 3], np.int64),
        "w3": np.zeros((5, 4), np.float32),
    }
    return graph(nodes, weights)


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


def test_a_kernel_takes_as_long_as_its_arithmetic_or_its_memory_and_a_launch(small: ModelProto) -> None:
    cost, board = cost_of(small), BOARDS["orin-nano-super"]
    conv = next(k for k in cost.kernels if k.name == "backbone/Conv")
    by_memory = 608 / (0.8 * 102e9) * 1e6
    assert time_us(conv, cost, board, "fp16", WELL) == pytest.approx(by_memory + 2)
    conv.macs = 10**9
    assert time_us(conv, cost, board, "fp16", WELL) == pytest.approx(2e9 / (0.35 * 17e12) * 1e6 + 2)
    assert time_us(conv, cost, board, "int8", BADLY) == pytest.approx(2e9 / (0.10 * 33e12) * 1e6 + 6)


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_a_range_has_two_ends_and_fewer_bits_are_never_slower(small: ModelProto, board: object) -> None:
    cost = cost_of(small)
    ranges = [range_ms(cost, board, precision) for precision in ("int8", "fp16", "fp32")]  # type: ignore[arg-type]
    assert all(0 < well < badly for well, badly in ranges)
    assert ranges == sorted(ranges)


def test_a_shape_that_the_graph_does_not_tell_is_named() -> None:
    nodes = [
        helper.make_node("NonZero", ["image"], ["found"], name="backbone/NonZero"),  # (4, as many as there are)
        helper.make_node("ReduceSum", ["found", "axes"], ["sum"], name="/ReduceSum"),
        helper.make_node("Cast", ["sum"], ["embedding"], name="/Cast", to=TensorProto.FLOAT),
    ]
    with pytest.raises(ExportError, match=r"backbone/NonZero \(NonZero\) has the tensor found, whose shape"):
        cost_of(graph(nodes, {"axes": np.array([1], np.int64)}, dim=1), batch=4)


@pytest.fixture
def bundle(small: ModelProto, tmp_path: Path) -> Path:
    onnx.save(small, tmp_path / "encoder.onnx")
    encoder = {"backbone": "tiny", "dim": 5, "side_px": 8}
    files = {"encoder.onnx": file_entry(tmp_path / "encoder.onnx", "fp32")}
    write_manifest(tmp_path, {"format": FORMAT, "kind": "encoder", "name": "tiny", "encoder": encoder, "files": files})
    return tmp_path


def test_every_figure_stands_under_the_words_estimate_not_measured(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(bundle), "--device", "orin-nano-super", "--precision", "int8"]) == 0
    told = capsys.readouterr().out
    assert "Orin Nano Super, INT8" in told and told.count("estimate, not measured") == 2
    assert "backbone/Conv" in told
    assert main([str(bundle), "--all"]) == 0
    told = capsys.readouterr().out
    assert "estimate, not measured" in told and all(board.name in told for board in BOARDS.values())


def test_a_folder_that_is_no_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none"), "--all"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("export.estimate: ") and "make one: python -m export.onnx" in told and told.count("\n") == 1
