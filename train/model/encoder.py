"""The encoder: camera bytes in, a unit-norm vector out; a timm backbone, pooling, and a linear head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from runtime.errors import TrainError
from train.choices import POOLINGS, Pooling
from train.model.backbone import build_backbone, channels_first, norms_after, read_weights
from train.model.bundle_weights import bundle_of, load_bundle

_GEM_POWER = 3.0  # Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2018


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """The settings that an encoder is built by; every checkpoint holds them."""

    backbone: str = "tf_efficientnet_lite0"  # any timm model with a map of features, or with tokens
    dim: int = 256
    side_px: int = 192
    pooling: Pooling = "gem"  # native: as the backbone pools for its classifier
    init: str = "imagenet"  # or "random", "default" (the encoder that ships), a bundle, or a file of weights

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise TrainError(f"pooling {self.pooling!r} is unknown; expected one of {', '.join(POOLINGS)}")
        if not (self.dim >= 1 and self.side_px >= 32):
            raise TrainError(f"dim {self.dim} and side_px {self.side_px} do not fit; expected dim >= 1, side_px >= 32")


class Encoder(nn.Module):
    """A network from uint8 RGB pictures to unit-norm embeddings.

    Normalisation is inside, so that an exported graph takes camera bytes.
    """

    mean: Tensor
    std: Tensor
    backbone: Any  # timm's models have methods that nn.Module does not know

    def __init__(
        self,
        spec: EncoderSpec,
        *,
        amp_dtype: torch.dtype | None = None,  # the backbone's precision; pooling, head and norm stay FP32
        fixed_norms: bool = False,  # batch normalisation keeps the statistics that the weights came with
        weights: Mapping[str, Tensor] | None = None,  # all of them; without, ``spec.init`` says where they come from
    ) -> None:
        """Build the network and load its weights; raises TrainError rather than start from other ones.

        Raises RuntimeError where ``weights`` are not those of this network.
        """
        super().__init__()
        init = spec.init if weights is None else "random"  # each is then replaced: the load below is strict
        self.spec = spec
        self.amp_dtype = amp_dtype
        self.fixed_norms = fixed_norms
        self.backbone = build_backbone(spec.backbone, init, spec.side_px)
        config = self.backbone.pretrained_cfg
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)
        self.head = nn.Linear(self._channels(), spec.dim)
        nn.init.orthogonal_(self.head.weight)  # keeps the backbone's angles, so training starts from their ranking
        nn.init.zeros_(self.head.bias)
        if weights is not None:
            self.load_state_dict(weights)
        elif bundle := bundle_of(init):
            load_bundle(self, bundle, norms_after(self.backbone, spec.side_px))
        elif init not in ("imagenet", "random"):
            self._load_head(read_weights(Path(init)))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 3-4 times faster on a CPU

    def forward(
        self,
        images: Tensor,  # (B, S, S, 3) uint8 RGB
    ) -> Tensor:  # (B, dim) float32 unit-norm
        """Return the embeddings of a batch of pictures."""
        embedding: Tensor = self.head(self.features(images))
        unit: Tensor = embedding / embedding.norm(dim=1, keepdim=True).clamp(min=1e-12)  # F.normalize exports shapes
        return unit

    def train(self, mode: bool = True) -> Encoder:
        """Set the mode; with ``fixed_norms`` batch normalisation computes as in flight while the rest trains."""
        super().train(mode)
        if self.fixed_norms:
            for module in self.backbone.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def features(
        self,
        images: Tensor,  # (B, S, S, 3) uint8 RGB
    ) -> Tensor:  # (B, C) float32
        """Return the pooled features of the backbone, before the head."""
        x = (images.float().permute(0, 3, 1, 2) / 255.0 - self.mean) / self.std  # TensorRT casts bytes, and no more
        if self.amp_dtype is None:
            return self._pooled(x)
        with torch.autocast(images.device.type, self.amp_dtype):
            return self._pooled(x)

    def _pooled(self, x: Tensor) -> Tensor:  # (B, 3, S, S) -> (B, C) float32
        """Return the pooled features of normalised pictures."""
        maps = self.backbone.forward_features(x)
        if self.spec.pooling == "native":
            pooled: Tensor = self.backbone.forward_head(maps, pre_logits=True)
            return pooled.float()
        maps = channels_first(self.backbone, maps).float()  # (B, C, h, w)
        if self.spec.pooling == "avg":
            return maps.mean(dim=(2, 3))
        return maps.clamp(min=1e-4).pow(_GEM_POWER).mean(dim=(2, 3)).pow(1.0 / _GEM_POWER)

    def _channels(self) -> int:
        """Find the length of pooled features by a black picture; raises TrainError for a network of another kind."""
        pooling, side_px = self.spec.pooling, self.spec.side_px
        expected = self.backbone.num_features
        if pooling == "native":
            expected = getattr(self.backbone, "head_hidden_size", expected)
        try:
            with torch.no_grad():
                black = -(self.mean / self.std).expand(1, 3, side_px, side_px)
                shape = tuple(self.eval()._pooled(black).shape)
        except (RuntimeError, AttributeError, AssertionError, TypeError, IndexError, ValueError) as error:
            raise TrainError(f"{self.spec.backbone} cannot embed a picture of {side_px} px: {error}") from error
        finally:
            self.train()
        if shape != (1, expected):
            raise TrainError(
                f"{self.spec.backbone} gives features of shape {shape} after pooling {pooling}, not {(1, expected)}: "
                "it has no map or tokens to pool; try --pooling native, or another --backbone"
            )
        return int(expected)

    def _load_head(self, weights: dict[str, Tensor]) -> None:
        """Take the head of one of our checkpoints, where it is long enough; timm's files bring none."""
        head = weights.get("head.weight")
        if head is None or not any(name.startswith("backbone.") for name in weights):
            return
        if head.shape[1] == self.head.in_features and head.shape[0] >= self.spec.dim:
            with torch.no_grad():
                self.head.weight.copy_(head[: self.spec.dim])
                self.head.bias.copy_(weights["head.bias"][: self.spec.dim])
