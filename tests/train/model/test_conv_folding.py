"""A convolution and the norm after it, folded into one: the same values, and gradients to the parameters of both."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from train.model.backbone import import_timm
from train.model.conv_folding import convolve_with, folded, padded
from train.model.encoder import Encoder, EncoderSpec


def _pair(seed: int, *, bias: bool) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    torch.manual_seed(seed)
    conv, norm = nn.Conv2d(3, 5, 3, bias=bias).double(), nn.BatchNorm2d(5).double().eval()
    nn.init.uniform_(norm.weight, -2, 2)
    nn.init.uniform_(norm.bias, -1, 1)
    nn.init.uniform_(norm.running_mean, -1, 1)
    nn.init.uniform_(norm.running_var, 0.1, 3)
    return conv, norm


@given(st.integers(0, 9999), st.booleans())
def test_the_folded_convolution_is_the_norm_of_the_convolution(seed: int, bias: bool) -> None:
    conv, norm = _pair(seed, bias=bias)
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    weight, shift = folded(conv, norm)
    assert torch.allclose(F.conv2d(x, weight, shift), norm(conv(x)), atol=1e-9)
    assert folded(conv, None) == (conv.weight, conv.bias)


def test_gradients_reach_weight_scale_and_shift_as_through_two_layers() -> None:
    x, gradients = torch.randn(2, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), []
    for fold in (True, False):
        conv, norm = _pair(7, bias=True)
        out = F.conv2d(x, *folded(conv, norm)) if fold else norm(conv(x))
        out.tanh().sum().backward()
        gradients.append([p.grad for p in (*conv.parameters(), *norm.parameters())])
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize(("side", "stride"), [(7, 2), (8, 2), (9, 3), (6, 1)])
def test_tensorflows_padding_is_done_before_the_convolution(side: int, stride: int) -> None:
    import_timm()
    from timm.layers.conv2d_same import Conv2dSame

    conv, x = Conv2dSame(3, 4, 3, stride=stride), torch.randn(1, 3, side, side)
    wider, rest = padded(conv, x)
    assert rest == (0, 0)
    assert torch.allclose(F.conv2d(wider, conv.weight, conv.bias, stride, rest), conv(x), atol=1e-6)
    plain = nn.Conv2d(3, 4, 3, padding=2)
    assert padded(plain, x)[0] is x
    assert padded(plain, x)[1] == (2, 2)


def test_a_convolution_that_would_be_computed_otherwise_is_left_alone() -> None:
    encoder = Encoder(EncoderSpec(dim=8, side_px=32, init="random", backbone="test_efficientnet"), fixed_norms=True)
    stem = encoder.backbone.conv_stem
    stem.padding_mode = "circular"
    taken: list[nn.Module] = []

    def note(conv: nn.Conv2d, norm: nn.Module | None, x: Tensor) -> Tensor:
        taken.append(conv)
        out = nn.Conv2d.forward(conv, x)
        return out if norm is None else type(norm).forward(norm, out)

    convolve_with(encoder, note)
    encoder.eval().features(torch.zeros(1, 32, 32, 3, dtype=torch.uint8))
    assert stem not in taken
    convolutions = [m for m in encoder.backbone.modules() if isinstance(m, nn.Conv2d)]
    assert len(taken) == len(convolutions) - 1
