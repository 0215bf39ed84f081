"""FP16 in a graph: a backbone computed in it, weights stored in it, and INT8 with every float halved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, numpy_helper

from calib.samples.stored_set import read_set
from export.graphs.lint import lint
from export.graphs.parity import embed
from export.graphs.precision import QDQ, in_body, load_graph, store_halved, to_fp16
from export.int8.gates import MIN_MEAN_COSINE, MIN_WORST_COSINE
from export.int8.quantize import quantised_activations, to_int8
from export.int8.ranges import measure
from export.options import DEFAULT_RANGE_RULE
from runtime.errors import ExportError


@pytest.fixture(scope="module")
def graphs(exported: Path) -> tuple[ModelProto, ModelProto]:
    """Quantised, and its floats halved."""
    model = load_graph(exported / "encoder.onnx")
    measured = measure(model, quantised_activations(model), read_set(exported).pictures[:16])
    int8 = to_int8(model, {name: one.range_by(DEFAULT_RANGE_RULE) for name, one in measured.items()})
    return int8, to_fp16(int8)


def constants(model: ModelProto) -> dict[str, np.ndarray]:
    return {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}


def test_the_backbone_holds_no_fp32_and_no_cast_parts_q_and_dq_from_what_they_fuse_with(
    graphs: tuple[ModelProto, ModelProto],
) -> None:
    halved = graphs[1]
    onnx.checker.check_model(halved, full_check=True)
    assert halved.opset_import[0].version == 19 and lint(halved) == []
    inside = [node for node in halved.graph.node if in_body(node) or node.op_type in QDQ]
    held = constants(halved)
    assert not {n for node in inside for n in node.input if n in held and held[n].dtype == np.float32}
    made_inside = {name for node in inside for name in node.output}
    casts = [node for node in halved.graph.node if node.op_type == "Cast" and node.name.startswith("cast/")]
    assert [node.input[0] in made_inside for node in casts] == [False, True]  # in at the picture, out before pooling


def test_steps_and_scales_are_those_of_the_graph_that_was_judged(graphs: tuple[ModelProto, ModelProto]) -> None:
    int8, halved = (constants(model) for model in graphs)
    scales = [name for name in int8 if name.endswith(".scale")]
    assert scales
    for name in scales:
        assert (halved[f"{name}.fp16"].astype(np.float32) == int8[name]).all()
    for name in (name for name in int8 if name.endswith(".int8")):
        assert (halved[name] == int8[name]).all()


def test_it_computes_what_int8_does_to_within_the_gates(
    graphs: tuple[ModelProto, ModelProto], exported: Path, tmp_path: Path
) -> None:
    onnx.save(graphs[1], tmp_path / "halved.onnx")
    pictures = read_set(exported).pictures[16:32]
    got = embed(tmp_path / "halved.onnx", pictures, optimise=False)
    assert got.dtype == np.float32
    cosine = (got * embed(exported / "encoder.onnx", pictures)).sum(axis=1)
    assert cosine.mean() >= MIN_MEAN_COSINE and cosine.min() >= MIN_WORST_COSINE


def test_a_graph_that_is_halved_in_part_is_found(graphs: tuple[ModelProto, ModelProto]) -> None:
    spoilt = ModelProto()
    spoilt.CopyFrom(graphs[1])
    bias = next(w for w in spoilt.graph.initializer if w.name.endswith(".bias.fp16"))
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias).astype(np.float32), bias.name))
    assert bias.data_type == TensorProto.FLOAT
    assert [finding.partition(":")[0] for finding in lint(spoilt)] == ["SF16 one-float-type"]


def test_half_stored_weights_are_half_the_bytes_and_nearly_the_same_embedding(exported: Path, tmp_path: Path) -> None:
    full, small = exported / "encoder.onnx", tmp_path / "small.onnx"
    onnx.save(store_halved(load_graph(full)), small)
    assert small.stat().st_size < 0.55 * full.stat().st_size
    pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    cosine = (embed(full, pictures) * embed(small, pictures)).sum(axis=1)
    assert cosine.min() > 0.9995
    unpacked = load_graph(small)
    assert not any(w.data_type == onnx.TensorProto.FLOAT16 for w in unpacked.graph.initializer)


def test_a_weight_that_fp16_does_not_hold_is_refused(exported: Path) -> None:
    model = load_graph(exported / "encoder.onnx")
    weight = next(w for w in model.graph.initializer if w.name == "backbone.conv_stem.weight")
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0] = 1e5
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    with pytest.raises(ExportError, match=r"conv_stem.weight reaches 1e\+05"):
        to_fp16(model)
