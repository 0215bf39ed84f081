"""Where Q/DQ stands, and what rounding costs: the exported encoder, and a ConvNeXt with LayerNorm and products."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from calib.samples.stored_set import read_set
from export.graphs.lint import check_lint
from export.graphs.parity import embed
from export.graphs.precision import load_graph
from export.int8.gates import MIN_MEAN_COSINE, MIN_WORST_COSINE
from export.int8.quantize import half_up, mean_response, quantise_weight, quantised_activations, to_int8
from export.int8.ranges import Range, measure
from export.options import DEFAULT_RANGE_RULE


@pytest.fixture(scope="module")
def quantised(exported: Path) -> onnx.ModelProto:
    model = load_graph(exported / "encoder.onnx")
    return to_int8(model, ranges_of(model, read_set(exported).pictures[:16]))


def ranges_of(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> dict[str, Range]:
    measured = measure(model, quantised_activations(model), pictures)
    return {name: one.range_by(DEFAULT_RANGE_RULE) for name, one in measured.items()}


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    return twin


@given(npst.arrays(np.float32, (3, 2, 2, 2), elements=st.floats(-8, 8, width=32)))
def test_a_weight_comes_back_within_half_a_step_of_its_channel(weight: NDArray[np.float32]) -> None:
    steps, scale = quantise_weight(weight)
    assert steps.min() >= -127
    error = np.abs(weight.astype(np.float64) - steps * scale.reshape(-1, 1, 1, 1).astype(np.float64)).max(
        axis=(1, 2, 3)
    )
    assert (error <= (0.5 + 127 * 2**-23) * scale).all()  # FP32 divides the weight to within 2^-24 of its 127 steps


@given(npst.arrays(np.float32, 5, elements=st.floats(0, 500, width=32)))
def test_a_scale_is_one_that_fp16_holds_no_less_than_asked_for_and_never_0(scale: NDArray[np.float32]) -> None:
    up = half_up(scale)
    assert (up == up.astype(np.float16)).all() and (up >= scale).all() and (up > 0).all()
    assert (up <= scale * (1 + 2**-10) + 2**-24).all()


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


def test_the_quantised_graph_keeps_every_rule_and_finds_what_fp32_finds(
    quantised: onnx.ModelProto, exported: Path, tmp_path: Path
) -> None:
    check_lint(quantised, "encoder.int8.onnx")
    onnx.checker.check_model(quantised, full_check=True)
    path = tmp_path / "int8.onnx"
    onnx.save(quantised, path)
    pictures = read_set(exported).pictures
    cosine = (embed(exported / "encoder.onnx", pictures) * embed(path, pictures, optimise=False)).sum(axis=1)
    assert cosine.mean() >= MIN_MEAN_COSINE and cosine.min() >= MIN_WORST_COSINE


def test_every_residual_add_has_one_quantised_side(quantised: onnx.ModelProto) -> None:
    adds = [n for n in quantised.graph.node if n.op_type == "Add"]
    assert adds
    assert all(sum(name.endswith(".dq") for name in add.input) == 1 for add in adds)


def test_taking_the_mean_error_out_of_the_bias_helps(exported: Path, tmp_path: Path) -> None:
    model = load_graph(exported / "encoder.onnx")
    pictures = read_set(exported).pictures
    corrected = to_int8(model, ranges_of(model, pictures[:16]))
    plain, biases = copy_of(corrected), {n.name: n.input[2] for n in model.graph.node if n.op_type == "Conv"}
    for node in plain.graph.node:
        if node.op_type == "Conv":
            node.input[2] = biases[node.name]
    plain.graph.initializer.extend(w for w in model.graph.initializer if w.name.endswith("_bias"))
    want = embed(exported / "encoder.onnx", pictures)
    means = []
    for name, graph in (("corrected", corrected), ("plain", plain)):
        onnx.save(graph, tmp_path / f"{name}.onnx")
        means.append((want * embed(tmp_path / f"{name}.onnx", pictures, optimise=False)).sum(axis=1).mean())
    assert means[0] > means[1]
