"""A quantisation-aware finish: the network trains while its convolutions compute as the INT8 graph will.

Weights, with the norm folded in, are rounded to 255 steps a channel; the activations that a convolution reads, to 255
steps of their largest value in the batch. Rounding has no gradient of its own and is passed through, as if it were not
there (the straight-through estimator; Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 3). What is saved is the float network, from which
``export.trt --int8`` makes the graph with ranges of its own, as ever.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.backbone import norms_after
from train.encoder import Encoder
from train.folded import after_norm, foldable, folded, padded

_STEPS = 127
_COLOURS = 3  # the convolution that reads the picture stays float in the graph
_LEAST = 1e-8  # of a scale


def quantise(encoder: Encoder) -> None:
    """Let the backbone's convolutions round what they read; parameters and their names stay as they are."""
    norms = norms_after(encoder.backbone, encoder.spec.side_px) if encoder.fixed_norms else {}
    for module in encoder.backbone.modules():
        if foldable(module) and module.in_channels > _COLOURS:
            norm = norms.get(module)
            module.forward = partial(_convolve, module, norm)  # type: ignore[method-assign]
            if norm is not None:
                norm.forward = partial(after_norm, norm)


def _convolve(conv: nn.Conv2d, norm: Any, x: Tensor) -> Tensor:
    weight, bias = folded(conv, norm)
    x, padding = padded(conv, rounded(x))
    return F.conv2d(x, rounded_channels(weight), bias, conv.stride, padding, conv.dilation, conv.groups)


def rounded(x: Tensor) -> Tensor:
    """To 255 steps, symmetric about 0, up to the largest value."""
    scale = float((x.detach().abs().amax() / _STEPS).clamp_min(_LEAST))
    return torch.fake_quantize_per_tensor_affine(x, scale, 0, -_STEPS, _STEPS)


def rounded_channels(
    weight: Tensor,  # (O, I, h, w)
) -> Tensor:
    """Each output channel to 255 steps of its own."""
    scale = (weight.detach().abs().amax(dim=(1, 2, 3)) / _STEPS).clamp_min(_LEAST)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -_STEPS, _STEPS)
