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

from export.graphs.rules import OPSET
from runtime.errors import ExportError

_SCOPES = "pkg.torch.onnx.name_scopes"
_REGISTRY = "torch.onnx._internal.exporter._registration"


def fused(network: nn.Module) -> nn.Module:
    """Return the network with branches that are there for training alone folded into one convolution, if it has such.

    FastViT and RepVGG-like backbones (MobileOne, RepViT) compute the same with fewer nodes; the network itself is left
    as it is. Vasu et al., "FastViT", ICCV 2023, section 3.2.
    """
    # Imported here: timm loads torchvision's operators, and only train.model.backbone knows how to do without them.
    from timm.utils.model import reparameterize_model

    marks = ("fuse", "reparameterize", "switch_to_deploy")
    if not any(hasattr(module, mark) for module in network.modules() for mark in marks):
        return network
    folded: nn.Module = reparameterize_model(network).eval()
    return folded


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
            raise ExportError(
                f"PyTorch {torch.__version__} cannot say this network in ONNX: {_reason(error)}; train another "
                "--backbone (docs/jetson.md lists those that were exported)"
            ) from error


def _reason(error: BaseException) -> str:
    """Return the first line of the cause at the bottom; the exporter wraps it in pages of advice to its own authors."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0].rstrip(".")
