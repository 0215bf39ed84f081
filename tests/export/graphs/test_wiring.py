"""The index of a graph against a walk over all of its nodes."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from export.graphs.wiring import makers_of, readers_of, wire
from tests.export.graphs.linted import good


def test_every_reader_and_maker_is_that_of_a_walk_over_all_nodes() -> None:
    model = good()
    readers, makers = readers_of(model), makers_of(model)
    tensors = {name for node in model.graph.node for name in (*node.input, *node.output)}
    for tensor in tensors:
        assert [node.name for node in readers.get(tensor, [])] == [
            node.name for node in model.graph.node for name in node.input if name == tensor
        ]
        made = [node.name for node in model.graph.node if tensor in node.output]
        assert made == ([makers[tensor].name] if tensor in makers else [])


def test_a_tensor_is_made_by_an_operator_or_by_nobody() -> None:
    graph = wire(good())
    assert graph.made_by("act", "Relu") and graph.made_by("act", "Sigmoid", "Relu")
    assert not graph.made_by("act", "Conv") and not graph.made_by("act")
    assert not graph.made_by("image", "Cast"), "an input of the graph is made by none of its nodes"
    assert not graph.made_by("w.int8", "Conv")


def test_a_weights_numbers_are_those_that_were_put_in() -> None:
    graph = wire(good())
    np.testing.assert_array_equal(graph.values("w.s"), np.full(4, 0.1, np.float32))
    assert graph.values("w.int8").dtype == np.int8
    assert set(graph.weights) == {w.name for w in good().graph.initializer}


def test_a_graph_without_nodes_has_no_wires() -> None:
    graph = wire(ModelProto())
    assert not graph.makers and not graph.readers and not graph.weights
