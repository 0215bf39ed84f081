"""A graph with an index: which node makes a tensor, and which nodes read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper


@dataclass(frozen=True, slots=True)
class WiredGraph:
    """A graph, and who makes and reads each of its tensors."""

    model: ModelProto
    weights: Mapping[str, TensorProto]
    makers: Mapping[str, NodeProto]
    readers: Mapping[str, list[NodeProto]]

    def made_by(self, tensor: str, *operators: str) -> bool:
        """Tell whether one of these operators makes the tensor."""
        return tensor in self.makers and self.makers[tensor].op_type in operators

    def values(self, tensor: str) -> NDArray[np.generic]:
        """Return a weight's numbers."""
        values: NDArray[np.generic] = numpy_helper.to_array(self.weights[tensor])
        return values


def readers_of(model: ModelProto) -> dict[str, list[NodeProto]]:
    """Return the nodes that read each tensor, in the graph's order."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def makers_of(model: ModelProto) -> dict[str, NodeProto]:
    """Return the node that makes each tensor."""
    return {name: node for node in model.graph.node for name in node.output}


def wire(model: ModelProto) -> WiredGraph:
    """Index a graph once."""
    return WiredGraph(model, {w.name: w for w in model.graph.initializer}, makers_of(model), readers_of(model))
