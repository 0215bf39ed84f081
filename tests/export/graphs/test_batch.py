from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from export.graphs.batch import with_batch
from export.graphs.drawn_ground import land_like
from export.graphs.parity import embed
from runtime.errors import ExportError
from runtime.model.bundle import Bundle


@pytest.mark.parametrize("stem", ["encoder", "encoder.fp16"])
def test_a_graph_of_a_fixed_batch_takes_that_one_and_computes_the_same(short_bundle: Path, stem: str) -> None:
    pictures = land_like(4, 32, 32)
    want = embed(short_bundle / f"{stem}.onnx", pictures)
    for batch in (1, 4):
        model = onnx.load(short_bundle / f"{stem}.b{batch}.onnx")
        known = [*model.graph.input, *model.graph.value_info, *model.graph.output]
        assert all(dim.dim_value > 0 for value in known for dim in value.type.tensor_type.shape.dim)
        got = embed(short_bundle / f"{stem}.b{batch}.onnx", pictures, batch=batch)
        np.testing.assert_allclose(got, want, atol=1e-5)
        assert Bundle.open(short_bundle).manifest.document["files"][f"{stem}.b{batch}.onnx"]["batch"] == batch


def test_every_shape_is_stated_and_the_graph_that_was_given_stays_open(small: ModelProto) -> None:
    fixed = with_batch(small, 3)
    shapes = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*fixed.graph.input, *fixed.graph.value_info, *fixed.graph.output)
    }
    assert shapes["image"] == (3, 8, 6, 3) and shapes["embedding"] == (3, 5)
    assert shapes["c1"] == (3, 4, 4, 3) and shapes["pooled"] == (3, 4)  # stride 2 halves the sides
    assert small.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_a_graph_whose_shapes_contradict_each_other_is_refused(small: ModelProto) -> None:
    small.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 9  # the head makes 5 numbers
    with pytest.raises(ExportError, match="the graph cannot take a batch of 4"):
        with_batch(small, 4)
