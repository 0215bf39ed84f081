"""From a PyTorch module to an ONNX graph: the one place that calls the exporter, and names what it makes."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

OPSET = 18  # what TensorRT 10.3, the oldest that we serve, reads in full
_SCOPES = "pkg.torch.onnx.name_scopes"


def trace(
    network: nn.Module,
    image: Tensor,  # an example of the input
    path: Path,
    *,
    outputs: Sequence[str],
    dynamic: Mapping[int, Any],
) -> None:
    """Write ``network`` as one ONNX file with the input ``image``; ``dynamic`` names the axes that are not fixed.

    Nodes are called ``module.path/Operator_7``, so that a later pass can tell the backbone from what surrounds it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its own insides
        program = torch.onnx.export(
            network,
            (image,),
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes=(dict(dynamic),),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # only the old exporter returns nothing
    for i, node in enumerate(program.model.graph):
        scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "['', '']"))  # outermost first, then the operator
        node.name = f"{scopes[-2]}/{node.op_type}_{i}"
    ClearMetadataAndDocStringPass()(program.model)  # stack traces, with this machine's paths in them
    program.save(path, external_data=False)
