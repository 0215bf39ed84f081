from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from export.graphs.drawn_ground import land_like
from export.graphs.parity import embed
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
