"""Folding of a convolution and the batch normalisation after it into one, as in an exported graph, while training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeGuard

import torch
from torch import Tensor, nn

from train.model.backbone import norms_after
from train.model.encoder import Encoder

Convolve: TypeAlias = Callable[[nn.Conv2d, Any, Tensor], Tensor]
"""What computes a convolution, of the convolution, the norm after it or None, and the input."""


def convolve_with(encoder: Encoder, convolve: Convolve) -> None:
    """Let ``convolve`` do what the backbone's convolutions do, and the norms after them where these are fixed.

    Parameters and their names stay as they are; a copy of the encoder computes with its own.
    """
    norms = norms_after(encoder.backbone, encoder.spec.side_px) if encoder.fixed_norms else {}
    for module in encoder.backbone.modules():
        if _foldable(module):
            norm = norms.get(module)
            module.forward = partial(convolve, module, norm)  # type: ignore[method-assign]
            if norm is not None:
                norm.forward = partial(_after_norm, norm)


def _foldable(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Tell whether :func:`folded` and :func:`padded` say all of a convolution."""
    return isinstance(module, nn.Conv2d) and module.padding_mode == "zeros" and module.padding != "same"


def folded(
    conv: nn.Conv2d,
    norm: Any,  # with fixed statistics, or None
) -> tuple[Tensor, Tensor | None]:  # (O, I, h, w), (O,)
    """Return weight and bias of ``norm(conv(x))``; gradients reach the parameters of both."""
    if norm is None:
        return conv.weight, conv.bias
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = (0.0 if conv.bias is None else conv.bias) - norm.running_mean
    return conv.weight * scale[:, None, None, None], norm.bias + bias * scale


def padded(conv: nn.Conv2d, x: Tensor) -> tuple[Tensor, Any]:
    """Return the input as it is to be convolved, and the padding that is left to do."""
    if type(conv).__name__ != "Conv2dSame":
        return x, conv.padding
    from timm.layers import pad_same  # pads more at the end; timm loads after import_timm() mended torchvision

    return pad_same(x, conv.kernel_size, conv.stride, conv.dilation), (0, 0)


def _after_norm(norm: Any, x: Tensor) -> Tensor:
    """Compute what is left of a folded norm: timm's carry an activation."""
    activate = getattr(norm, "act", None)
    return x if activate is None else activate(x)
