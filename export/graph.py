"""From a PyTorch module to an ONNX graph: the one place that calls the exporter, and names what it makes."""

from __future__ import annotations

import ast
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from export.rules import OPSET
from runtime.errors import ExportError

_SCOPES = "pkg.torch.onnx.name_scopes"
_REGISTRY = "torch.onnx._internal.exporter._registration"


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
    Raises ExportError for what ONNX cannot say.
    """
    program = _exported(network, image, outputs, dynamic)
    for i, node in enumerate(program.model.graph):
        scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "['', '']"))  # outermost first, then the operator
        node.name = f"{scopes[-2]}/{node.op_type}_{i}"
    ClearMetadataAndDocStringPass()(program.model)  # stack traces, with this machine's paths in them
    program.save(path, external_data=False)


def _exported(network: nn.Module, image: Tensor, outputs: Sequence[str], dynamic: Mapping[int, Any]) -> Any:
    logging.getLogger(_REGISTRY).setLevel(logging.ERROR)  # it misses torchvision, of which no network here makes use
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its own insides
        try:
            return torch.onnx.export(
                network,
                (image,),
                input_names=["image"],
                output_names=list(outputs),
                dynamic_shapes=(dict(dynamic),),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            cause = error.__cause__ or error
            raise ExportError(f"PyTorch {torch.__version__} cannot export this network: {cause}") from error
