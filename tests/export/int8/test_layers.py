"""The noise of each layer, against numpy on a network that can be run by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from export.int8.layers import layer_noise

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 2, 2, 3), np.uint8)


def network(first: float, second: float) -> ModelProto:
    """The picture's floats times two numbers, one after the other."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "a"], ["x"], name="first"),
        helper.make_node("Mul", ["x", "b"], ["embedding"], name="second"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 2, 2, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 2, 2, 3])
    weights = [numpy_helper.from_array(np.array(v, np.float32), n) for n, v in (("a", first), ("b", second))]
    graph = helper.make_graph(nodes, "two", [image], [embedding], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def test_noise_is_that_of_all_layers_up_to_a_node_in_decibels() -> None:
    exact, reduced = network(2.0, 3.0), network(2.02, 3.0)
    noise = layer_noise(exact, reduced, {"second": False, "first": True}, PICTURES)
    assert [(layer.node, layer.op_type, layer.quantised) for layer in noise] == [
        ("first", "Mul", True),
        ("second", "Mul", False),
    ]
    # One part in a hundred of the signal is 40 dB below it, also after the second layer has passed it on.
    assert [layer.sqnr_db for layer in noise] == pytest.approx([40, 40], abs=0.01)


def test_errors_add_up_along_the_network() -> None:
    exact, reduced = network(2.0, 3.0), network(2.02, 3.03)
    first, second = layer_noise(exact, reduced, {"first": True, "second": True}, PICTURES)
    assert first.sqnr_db == pytest.approx(40, abs=0.01)
    assert second.sqnr_db == pytest.approx(-20 * np.log10(1.01 * 1.01 - 1), abs=0.01)


def test_a_layer_without_noise_has_a_finite_figure_and_nodes_that_were_not_asked_for_none() -> None:
    (only,) = layer_noise(network(2.0, 3.0), network(2.0, 3.0), {"first": True}, PICTURES)
    assert only.node == "first" and np.isfinite(only.sqnr_db) and only.sqnr_db > 200


def test_the_graphs_that_were_given_get_no_outputs_more() -> None:
    exact = network(2.0, 3.0)
    layer_noise(exact, network(2.0, 3.0), {"first": True}, PICTURES)
    assert [value.name for value in exact.graph.output] == ["embedding"]
