"""The quantisation-aware finish: a network trains while its convolutions compute as the INT8 graph will.

Weights, with the norm folded in, are rounded to 255 steps a channel; the activations that a convolution reads, to 255
steps of their largest value in the batch. Rounding has no gradient of its own and is passed through, as if it were not
there (the straight-through estimator; Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 3). What is saved is the float network, from which
``export.trt --int8`` makes the graph with ranges of its own, as ever.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.model.conv_folding import convolve_with, folded, padded
from train.model.encoder import Encoder

_STEPS = 127
_COLOURS = 3  # the convolution that reads the picture stays float in the graph
_LEAST = 1e-8  # of a scale


def quantise(encoder: Encoder) -> None:
    """Let the backbone's convolutions round what they read; parameters and their names stay as they are."""
    convolve_with(encoder, _convolve)


def _convolve(conv: nn.Conv2d, norm: Any, x: Tensor) -> Tensor:
    """Compute ``norm(conv(x))`` with weights and input rounded, before the activation."""
    weight, bias = folded(conv, norm)
    if conv.in_channels > _COLOURS:
        x, weight = rounded(x), rounded_channels(weight)
    x, padding = padded(conv, x)
    return F.conv2d(x, weight, bias, conv.stride, padding, conv.dilation, conv.groups)


def rounded(x: Tensor) -> Tensor:
    """Round to 255 steps, symmetric about 0, up to the largest value."""
    scale = float((x.detach().abs().amax() / _STEPS).clamp_min(_LEAST))
    return torch.fake_quantize_per_tensor_affine(x, scale, 0, -_STEPS, _STEPS)


def rounded_channels(
    weight: Tensor,  # (O, I, h, w)
) -> Tensor:
    """Round each output channel to 255 steps of its own."""
    scale = (weight.detach().abs().amax(dim=(1, 2, 3)) / _STEPS).clamp_min(_LEAST)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -_STEPS, _STEPS)
