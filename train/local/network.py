"""Local features on the encoder's trunk: dense descriptors, keypoints and how far each descriptor is to be trusted.

The trunk is the encoder's own and stays as it is; the head alone learns. Maps of strides 4, 8 and 16 meet at stride 4:
where a frame is laid on the ground at half a metre a pixel, a cell is two metres.
Sources: the outputs are XFeat's (Potje et al., CVPR 2024); joining strides is Lin et al., "Feature Pyramid Networks",
CVPR 2017; a cell's class is its keypoint's pixel, as in DeTone et al., "SuperPoint", CVPRW 2018.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.model.encoder import Encoder

STRIDE_PX = 4
DIM = 64
PIXELS = STRIDE_PX * STRIDE_PX  # of a cell; one class more is "no keypoint here"
MULTIPLE_PX = 32  # of a picture's sides
_TRUNK_BLOCKS = 5  # down to stride 16
_WIDTH = 64
_LAYERS = 3


class LocalMaps(NamedTuple):
    """A network's dense maps of a batch, at :data:`STRIDE_PX`."""

    descriptor: Tensor  # (B, 64, H/4, W/4) unit-norm
    keypoint: Tensor  # (B, 17, H/4, W/4) logits: the pixel of the cell, or none
    reliability: Tensor  # (B, 1, H/4, W/4) logits


class LocalNetwork(nn.Module):
    """A network from uint8 RGB pictures to maps at stride 4, as logits; :class:`Deployed` gives what a matcher does."""

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder) -> None:
        """Stand on the trunk of ``encoder``, an EfficientNet of timm's: others keep their maps elsewhere."""
        super().__init__()
        backbone: Any = encoder.backbone
        self.trunk = nn.ModuleList([nn.Sequential(backbone.conv_stem, backbone.bn1), *backbone.blocks[:_TRUNK_BLOCKS]])
        self.trunk.requires_grad_(False)
        self.register_buffer("mean", encoder.mean.clone(), persistent=False)
        self.register_buffer("std", encoder.std.clone(), persistent=False)
        channels, strides = self._shapes()
        self._at = {stride: max(i for i, s in enumerate(strides) if s == stride) for stride in (2, 4, 8, 16)}
        self.lateral = nn.ModuleList([_pointwise(channels[self._at[stride]], _WIDTH) for stride in (4, 8, 16)])
        self.joined = nn.Sequential(*(_separable(_WIDTH) for _ in range(_LAYERS)))
        self.descriptor = nn.Conv2d(_WIDTH, DIM, 1)
        self.reliability = nn.Conv2d(_WIDTH, 1, 1)
        fine = 4 * channels[self._at[2]] + 3 * PIXELS  # stride 2 and the picture itself, gathered into cells
        self.fine = nn.Sequential(_pointwise(fine + _WIDTH, _WIDTH), nn.ReLU(), _separable(_WIDTH))
        self.keypoint = nn.Conv2d(_WIDTH, PIXELS + 1, 1)

    def forward(
        self,
        images: Tensor,  # (B, H, W, 3) uint8 RGB
    ) -> LocalMaps:
        """Return descriptors, and logits of keypoints and reliability."""
        x = (images.float().permute(0, 3, 1, 2) / 255.0 - self.mean) / self.std
        two, *coarser = self._maps(x)
        laid = [lateral(map_) for lateral, map_ in zip(self.lateral, coarser, strict=True)]
        whole = laid[0] + _enlarged(laid[1], 2) + _enlarged(laid[2], 4)
        joined = self.joined(F.relu(whole))
        fine = torch.cat([F.pixel_unshuffle(two, 2), F.pixel_unshuffle(x, STRIDE_PX), joined], dim=1)
        descriptor = self.descriptor(joined).float()
        unit = descriptor / descriptor.norm(dim=1, keepdim=True).clamp(min=1e-6)
        return LocalMaps(unit, self.keypoint(self.fine(fine)).float(), self.reliability(joined).float())

    def train(self, mode: bool = True) -> LocalNetwork:
        """Set the mode of the head alone; the trunk computes as in flight."""
        super().train(mode)
        self.trunk.eval()
        return self

    def _maps(self, x: Tensor) -> list[Tensor]:
        """Return the trunk's last map of each stride: 2, 4, 8 and 16."""
        maps = []
        for i, part in enumerate(self.trunk):
            x = part(x)
            if i in self._at.values():
                maps.append(x)
        return maps

    def _shapes(self) -> tuple[list[int], list[int]]:
        """Return channels and stride after each part of the trunk."""
        side, x = 64, torch.zeros(1, 3, 64, 64)
        shapes = []
        with torch.no_grad():
            for part in self.trunk.eval():
                x = part(x)
                shapes.append((int(x.shape[1]), side // int(x.shape[2])))
        return [c for c, _ in shapes], [s for _, s in shapes]


class Deployed(nn.Module):
    """A matcher's graph: unit descriptors, keypoint probability of each pixel, reliability."""

    def __init__(self, network: LocalNetwork) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.network = network

    def forward(
        self,
        image: Tensor,  # (1, H, W, 3) uint8 RGB
    ) -> tuple[Tensor, Tensor, Tensor]:  # (1, 64, H/4, W/4), (1, H, W), (1, H/4, W/4)
        """Return the maps of one picture."""
        descriptor, keypoint, reliability = self.network(image)
        pixels = keypoint.softmax(dim=1)[:, :PIXELS]
        return descriptor, F.pixel_shuffle(pixels, STRIDE_PX).squeeze(1), reliability.sigmoid().squeeze(1)


def _pointwise(given: int, made: int) -> nn.Conv2d:
    """Return a convolution across channels alone."""
    return nn.Conv2d(given, made, 1)


def _separable(width: int) -> nn.Module:
    """Return a convolution 3 x 3 on each channel, then across channels."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def _enlarged(x: Tensor, by: int) -> Tensor:
    """Enlarge maps by a whole factor."""
    return F.interpolate(x, scale_factor=by, mode="bilinear", align_corners=False)
