"""Convolutions that train on a CPU about twice as fast, without changing what is learnt.

Two things are slow there and need not be. Batch normalisation with fixed statistics is a scale and a shift, and as a
layer of its own reads and writes every map once more: it is folded into the convolution before it, on every pass anew,
so that weights, scale and shift get the gradients they always had. And oneDNN's bfloat16 gradient of a strided or 5 x 5
depthwise convolution is a plain loop, three to five times slower than its float32 one: that gradient is computed in
float32. Measured by ``benchmarks/cpu_training.py``.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.model.conv_folding import convolve_with, folded, padded
from train.model.encoder import Encoder


def quicken(encoder: Encoder) -> None:
    """Let the encoder's convolutions compute the same faster on a CPU; parameters and their names stay as they are."""
    convolve_with(encoder, _convolve)


def _convolve(conv: nn.Conv2d, norm: Any, x: Tensor) -> Tensor:
    """Compute ``norm(conv(x))`` before the activation; ``norm`` None is no norm."""
    weight, bias = folded(conv, norm)
    x, padding = padded(conv, x)
    if _slow_in_bfloat16(conv):
        where = conv.stride, padding, conv.dilation, conv.groups
        slow: Tensor = _Float32Gradient.apply(x.bfloat16(), weight, bias, *where)  # type: ignore[no-untyped-call]
        return slow
    return F.conv2d(x, weight, bias, conv.stride, padding, conv.dilation, conv.groups)


def _slow_in_bfloat16(conv: nn.Conv2d) -> bool:
    """Tell whether oneDNN would compute this convolution's gradient in bfloat16 by a plain loop."""
    in_bfloat16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    depthwise = conv.groups == conv.in_channels > 1
    return in_bfloat16 and depthwise and (conv.kernel_size[0] > 3 or conv.stride[0] > 1)


class _Float32Gradient(torch.autograd.Function):
    """A convolution in bfloat16 whose gradient is computed in float32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *where: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.where, ctx.biased = where, bias is not None
        half = None if bias is None else bias.to(x.dtype)
        return F.conv2d(x, weight.to(x.dtype), half, *where)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.where
        gradient = torch.ops.aten.convolution_backward(
            gradients[0].float(),
            x.float(),
            weight.float(),
            [len(weight)] if ctx.biased else None,
            stride,
            padding,
            dilation,
            False,
            (0, 0),
            groups,
            (ctx.needs_input_grad[0], True, ctx.biased),
        )
        by_x = gradient[0].to(x.dtype) if ctx.needs_input_grad[0] else None
        return (by_x, gradient[1], gradient[2] if ctx.biased else None, *(None,) * len(ctx.where))
