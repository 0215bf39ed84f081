"""INT8 for the integer kernels of a CPU."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import ModelProto, helper, numpy_helper

from calib.samples.stored_set import read_set
from export.graphs.parity import embed
from export.graphs.precision import load_graph
from export.int8.cpu import to_cpu
from export.int8.gates import MIN_MEAN_COSINE, MIN_WORST_COSINE
from export.int8.pipeline import measured_activations
from export.int8.quantize import to_int8
from export.int8.ranges import measure
from export.options import DEFAULT_RANGE_RULE


@pytest.fixture(scope="module")
def graphs(exported: Path) -> tuple[ModelProto, ModelProto]:
    """An INT8 graph for TensorRT, and its twin for CPUs."""
    model = load_graph(exported / "encoder.onnx")
    measured = measure(model, measured_activations(model), read_set(exported).pictures[:16])
    ranges = {name: one.range_by(DEFAULT_RANGE_RULE) for name, one in measured.items()}
    int8 = to_int8(model, ranges)
    return int8, to_cpu(int8, ranges)


def scales_and_zeros(model: ModelProto) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    held = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    return {node.input[0]: (held[node.input[1]], held[node.input[2]]) for node in pairs}


def test_what_is_never_negative_has_twice_the_steps_over_its_range_and_all_else_the_grid_it_had(
    graphs: tuple[ModelProto, ModelProto],
) -> None:
    int8, twin = (scales_and_zeros(model) for model in graphs)
    makers = {name: node.op_type for node in graphs[0].graph.node for name in node.output}
    assert Counter(makers[name] for name in int8)["Clip"] > 30
    for name, (scale, _) in int8.items():
        finer, zero = twin[name]
        assert zero.dtype == np.uint8
        if makers[name] == "Clip":
            assert zero == 0 and 255 * finer <= min(127 * scale * (1 + 2**-23), np.float32(6))
            assert 255 * finer >= min(127 * scale, 6) * (1 - 2**-22)
        else:
            assert zero == 128 and finer == scale


@example(most=float(np.float32(7.979255)), share=2.0)  # one of a thousand whose 255th part rounds up
@given(most=st.floats(2**-7, 100, width=32), share=st.floats(0.5, 2))
def test_no_step_lies_over_what_a_clip_lets_pass_so_that_the_clip_can_go(most: float, share: float) -> None:
    held = {"s": np.float32(share * most / 127), "z": np.int8(0), "low": np.float32(0), "most": np.float32(most)}
    nodes = [
        helper.make_node("Clip", ["x", "low", "most"], ["y"], name="backbone/Clip"),
        helper.make_node("QuantizeLinear", ["y", "s", "z"], ["y.q"], name="q/y"),
    ]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()]
    finer, _ = scales_and_zeros(to_cpu(helper.make_model(helper.make_graph(nodes, "g", [], [], constants)), {}))["y"]
    wanted = min(share, 1) * most
    assert wanted * (1 - 2**-21) <= np.float32(255) * finer <= np.float32(most)


def test_every_quantised_convolution_and_residual_sum_runs_on_integers(
    graphs: tuple[ModelProto, ModelProto], tmp_path: Path
) -> None:
    onnx.save(graphs[1], tmp_path / "twin.onnx")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(str(tmp_path / "twin.onnx"), options, providers=["CPUExecutionProvider"])
    ran = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    quantised = sum(n.op_type == "Conv" and n.input[1].endswith(".dq") for n in graphs[0].graph.node)
    assert ran["QLinearConv"] == quantised - 1  # the last one's reader, pooling, is float
    assert ran["QLinearAdd"] == sum(n.op_type == "Add" and n.name.startswith("backbone") for n in graphs[0].graph.node)


def test_it_is_as_near_to_fp32_as_a_graph_for_a_device_must_be(
    graphs: tuple[ModelProto, ModelProto], exported: Path, tmp_path: Path
) -> None:
    onnx.checker.check_model(graphs[1], full_check=True)
    onnx.save(graphs[1], tmp_path / "twin.onnx")
    pictures = read_set(exported).pictures[16:32]
    cosine = (embed(exported / "encoder.onnx", pictures) * embed(tmp_path / "twin.onnx", pictures, optimise=False)).sum(
        1
    )
    assert cosine.mean() >= MIN_MEAN_COSINE and cosine.min() >= MIN_WORST_COSINE
