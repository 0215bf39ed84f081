from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from onnx import numpy_helper

from calib.sets import read_set
from export.lint import check_lint, lint
from export.parity import embed
from export.precision import load_graph
from export.quantize import mean_response, quantise_weight, quantised_inputs, to_int8
from export.ranges import best_scale, measure_ranges
from runtime.errors import GateError


@pytest.fixture(scope="module")
def quantised(exported: Path) -> onnx.ModelProto:
    model = load_graph(exported / "encoder.onnx")
    pictures, _ = read_set(exported)
    return to_int8(model, measure_ranges(model, quantised_inputs(model), pictures[:16]))


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    return twin


@given(npst.arrays(np.float32, (3, 2, 2, 2), elements=st.floats(-8, 8, width=32)))
def test_a_weight_comes_back_within_half_a_step_of_its_channel(weight: NDArray[np.float32]) -> None:
    steps, scale = quantise_weight(weight)
    assert steps.min() >= -127
    error = np.abs(weight - steps * scale.reshape(-1, 1, 1, 1)).max(axis=(1, 2, 3))
    assert (error <= 0.5001 * scale).all()


@pytest.mark.parametrize(("outputs", "inputs", "groups"), [(6, 4, 1), (4, 4, 4), (6, 4, 2)])
def test_the_mean_response_is_that_of_a_convolution_over_a_flat_picture(outputs: int, inputs: int, groups: int) -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(outputs, inputs // groups, 3, 3)).astype(np.float32)
    mean = rng.normal(size=inputs)
    want = np.zeros(outputs)
    for o in range(outputs):
        first = o // (outputs // groups) * (inputs // groups)
        for i in range(inputs // groups):
            want[o] += weight[o, i].sum(dtype=np.float64) * mean[first + i]
    np.testing.assert_allclose(mean_response(weight, mean), want, rtol=1e-6)


def test_one_bright_outlier_is_clipped_and_an_even_spread_is_not() -> None:
    even = np.linspace(0, 1, 200_001, dtype=np.float32)
    assert best_scale(even, 1.0) == pytest.approx(1 / 127, rel=0.02)
    assert best_scale(np.append(even, np.float32(1.8)), 1.8) < 1.2 / 127


def test_the_quantised_graph_keeps_every_rule_and_finds_what_fp32_finds(
    quantised: onnx.ModelProto, exported: Path, tmp_path: Path
) -> None:
    check_lint(quantised, "encoder.int8.onnx")
    onnx.checker.check_model(quantised, full_check=True)
    path = tmp_path / "int8.onnx"
    onnx.save(quantised, path)
    pictures, _ = read_set(exported)
    cosine = (embed(exported / "encoder.onnx", pictures) * embed(path, pictures, optimise=False)).sum(axis=1)
    assert cosine.mean() > 0.97


def test_every_residual_add_has_one_quantised_side(quantised: onnx.ModelProto) -> None:
    adds = [n for n in quantised.graph.node if n.op_type == "Add"]
    assert adds
    assert all(sum(name.endswith(".dq") for name in add.input) == 1 for add in adds)


def test_taking_the_mean_error_out_of_the_bias_helps(exported: Path, tmp_path: Path) -> None:
    model = load_graph(exported / "encoder.onnx")
    pictures, _ = read_set(exported)
    ranges = measure_ranges(model, quantised_inputs(model), pictures[:16])
    corrected = to_int8(model, ranges)
    plain = copy_of(corrected)
    for node in plain.graph.node:
        if node.op_type == "Conv" and node.input[2].endswith(".corrected"):
            node.input[2] = node.input[2].removesuffix(".corrected")
    plain.graph.initializer.extend(w for w in model.graph.initializer if w.name.endswith("_bias"))
    want = embed(exported / "encoder.onnx", pictures)
    means = []
    for name, graph in (("corrected", corrected), ("plain", plain)):
        onnx.save(graph, tmp_path / f"{name}.onnx")
        means.append((want * embed(tmp_path / f"{name}.onnx", pictures, optimise=False)).sum(axis=1).mean())
    assert means[0] > means[1]


def first(model: onnx.ModelProto, op_type: str) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.op_type == op_type)


def replace_weight(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    weight = next(w for w in model.graph.initializer if w.name == name)
    weight.CopyFrom(numpy_helper.from_array(values, name))


def set_zero_point(model: onnx.ModelProto) -> None:
    replace_weight(model, first(model, "QuantizeLinear").input[2], np.array(3, np.int8))


def make_weight_per_tensor(model: onnx.ModelProto) -> None:
    node = next(n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0].endswith(".int8"))
    replace_weight(model, node.input[1], np.float32([0.1])[0:1].reshape(()))


def quantise_bias(model: onnx.ModelProto) -> None:
    conv = first(model, "Conv")
    conv.input[2] = first(model, "DequantizeLinear").output[0]


def quantise_before_activation(model: onnx.ModelProto) -> None:
    first(model, "Clip").input[0] = first(model, "DequantizeLinear").output[0]


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "vector"


def raise_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 21


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (set_zero_point, "zero-point-0"),
        (make_weight_per_tensor, "per-channel-weights"),
        (quantise_bias, "no-bias-qdq"),
        (quantise_before_activation, "no-qdq-before-relu"),
        (rename_output, "names"),
        (raise_opset, "opset"),
    ],
)
def test_each_broken_rule_is_named(
    quantised: onnx.ModelProto, spoil: Callable[[onnx.ModelProto], None], rule: str
) -> None:
    model = copy_of(quantised)
    spoil(model)
    assert any(finding.startswith(rule) for finding in lint(model))
    with pytest.raises(GateError, match=f"breaks rules for TensorRT: .*{rule}"):
        check_lint(model, "graph")
