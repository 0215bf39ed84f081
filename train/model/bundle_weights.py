"""The weights of an exported bundle, read back from its FP32 graph into the network that they came from.

Export folds batch normalisation into the convolutions before it. Read back, each such norm is a shift alone, with a
mean of 0 and a variance of 1: the network computes what the graph does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from runtime.errors import MissingPackageError, TrainError
from runtime.model.bundle import DEFAULT_BUNDLE, ENCODER_FILES, Bundle

DEFAULT = "default"


def bundle_of(init: str) -> Path | None:
    """Return the bundle that ``--init`` names, ``default`` being the one that ships; None where it names no bundle."""
    if init == DEFAULT:
        return DEFAULT_BUNDLE
    return Path(init) if init and (init.endswith(".bundle") or Path(init).is_dir()) else None


def encoder_settings(init: str) -> dict[str, Any]:
    """Return backbone, length, side and pooling of a bundle's encoder, by their path in a spec; raises BundleError.

    Empty where ``init`` names no bundle.
    """
    path = bundle_of(init)
    if path is None:
        return {}
    encoder = Bundle.open(path).encoder
    return {f"encoder.{name}": getattr(encoder, name) for name in ("backbone", "dim", "side_px", "pooling")}


def load_bundle(encoder: nn.Module, path: Path, norms: Mapping[nn.Module, Any]) -> None:
    """Give ``encoder`` the weights of a bundle; ``norms`` are the batch norms after convolutions. Raises SkyfixError.

    A shorter head keeps the first numbers of an embedding.
    """
    weights = _weights(Bundle.open(path))
    # An export leaves a bias of nothing out.
    weights.setdefault("head.bias", torch.zeros_like(encoder.get_parameter("head.bias")))
    loaded: set[int] = set()  # ids of parameters
    with torch.no_grad():
        for name, module in encoder.named_modules():
            if isinstance(module, nn.Conv2d) and module in norms:
                _set(module.weight, weights, f"{name}.weight", path)
                _set_shift(norms[module], _constant(weights, f"{name}.weight_bias", path))
                loaded |= {id(tensor) for tensor in (module.weight, norms[module].weight, norms[module].bias)}
        for name, parameter in encoder.named_parameters():
            if id(parameter) not in loaded:
                _set(parameter, weights, name, path)


def _set(target: Tensor, weights: Mapping[str, Tensor], name: str, path: Path) -> None:
    """Copy one constant into a parameter; raises TrainError where it is missing or of another shape."""
    value = _constant(weights, name, path)
    if name.startswith("head."):
        value = value[: len(target)]
    if value.shape != target.shape:
        raise TrainError(f"{path}: {name} has shape {tuple(value.shape)}, the network {tuple(target.shape)}; {_MEND}")
    target.copy_(value)


def _set_shift(norm: Any, shift: Tensor) -> None:
    """Let a batch normalisation add ``shift`` and do nothing else."""
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0 - norm.eps)
    norm.weight.fill_(1.0)
    norm.bias.copy_(shift)


def _constant(weights: Mapping[str, Tensor], name: str, path: Path) -> Tensor:
    """Return a constant of the graph; raises TrainError where it is missing."""
    if name not in weights:
        raise TrainError(f"{path} holds no {name} in its graph; {_MEND}")
    return weights[name]


def _weights(bundle: Bundle) -> dict[str, Tensor]:
    """Read the constants of the FP32 graph in float32, by their names in the network; raises SkyfixError."""
    try:
        import onnx  # optional: a run from other weights does without
        from onnx import numpy_helper
    except ImportError:
        raise MissingPackageError("onnx", "train") from None
    graph = onnx.load(bundle.file(ENCODER_FILES["fp32"])).graph
    return {
        constant.name.removesuffix(".stored"): torch.from_numpy(numpy_helper.to_array(constant).astype(np.float32))
        for constant in graph.initializer
        if constant.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }


_MEND = "its weights cannot be read back: start from its checkpoint, --init RUN/best.safetensors"
