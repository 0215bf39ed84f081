"""Graphs for one batch: an exported graph takes any, a built engine one."""

from __future__ import annotations

import onnx
from onnx import ModelProto

from runtime.errors import ExportError


def with_batch(model: ModelProto, batch: int) -> ModelProto:
    """Return a copy for exactly ``batch`` pictures, every tensor's shape stated; raises ExportError."""
    fixed = ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    try:
        return onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise ExportError(f"the graph cannot take a batch of {batch}: {error}") from error
