"""What makes training on a CPU faster must not change what is computed, nor what is learnt."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from train.model.cpu_convolutions import quicken
from train.model.encoder import Encoder, EncoderSpec

# Strided and 5 x 5 depthwise convolutions, TensorFlow's padding, and norms with statistics that are not 0 and 1.
LITE = EncoderSpec(dim=32, side_px=64)


def learnt(encoder: Encoder, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Embeddings of some noise, and the gradient of all parameters laid end to end."""
    encoder.train().zero_grad()
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8, generator=generator)
    rows = encoder(pictures)
    (rows @ torch.randn(32, 4, generator=generator)).tanh().sum().backward()
    return rows.detach(), torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None])


def off(got: Tensor, want: Tensor) -> float:
    return float((got - want).norm() / want.norm())


@pytest.fixture(scope="module")
def lite() -> Encoder:
    torch.manual_seed(0)
    return Encoder(LITE, fixed_norms=True)


def test_in_float32_embeddings_and_gradients_are_those_of_the_plain_network(lite: Encoder) -> None:
    quick = copy.deepcopy(lite)
    quicken(quick)
    assert not any(torch.is_tensor(p) and p is q for p, q in zip(lite.parameters(), quick.parameters(), strict=True))
    for got, want in zip(learnt(quick), learnt(lite), strict=True):
        assert off(got, want) < 3e-3  # float32, through 49 convolutions in another order


def test_in_bfloat16_the_gradient_is_as_near_to_float32s_as_before(lite: Encoder) -> None:
    _, want = learnt(lite)
    plain, quick = copy.deepcopy(lite), copy.deepcopy(lite)
    plain.amp_dtype = quick.amp_dtype = torch.bfloat16
    quicken(quick)
    assert off(learnt(quick)[1], want) < 1.5 * off(learnt(plain)[1], want)


def test_every_norm_is_folded_and_parameters_keep_their_names(lite: Encoder) -> None:
    quick = copy.deepcopy(lite)
    quicken(quick)
    norms = [m for m in quick.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert all("forward" in vars(norm) for norm in norms)
    assert list(quick.state_dict()) == list(lite.state_dict())


def test_a_copy_computes_with_its_own_weights(lite: Encoder) -> None:
    """Averaged weights are a copy; one that still read the first network's would average nothing."""
    quick = copy.deepcopy(lite)
    quicken(quick)
    twin = copy.deepcopy(quick)
    with torch.no_grad():
        for weight in quick.parameters():
            weight.mul_(1.5)
    assert off(learnt(twin)[0], learnt(lite)[0]) < 3e-3
    assert off(learnt(quick)[0], learnt(lite)[0]) > 0.1


def test_norms_that_follow_their_batches_are_left_alone() -> None:
    torch.manual_seed(0)
    plain = Encoder(EncoderSpec(dim=32, side_px=64, init="random"))
    quick = copy.deepcopy(plain)
    quicken(quick)
    for got, want in zip(learnt(quick), learnt(plain), strict=True):
        assert off(got, want) < 3e-3
    moved = {name: value for name, value in quick.state_dict().items() if name.endswith("running_mean")}
    assert all(torch.allclose(value, plain.state_dict()[name], atol=1e-5) for name, value in moved.items())
    assert any(value.abs().max() > 1e-3 for value in moved.values())
