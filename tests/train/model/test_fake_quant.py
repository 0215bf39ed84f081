"""The quantisation-aware finish rounds as the INT8 graph does, and learns through the rounding."""

from __future__ import annotations

import copy

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.graphs.drawn_ground import land_like
from export.int8.quantize import quantise_weight
from train.model.encoder import Encoder, EncoderSpec
from train.model.fake_quant import quantise, rounded, rounded_channels


@given(st.integers(0, 2**32 - 1))
def test_weights_round_as_finely_as_the_exporter_does_channel_by_channel(seed: int) -> None:
    weight = np.random.default_rng(seed).normal(0, 0.1, (6, 8, 3, 3)).astype(np.float32)
    steps, scale = quantise_weight(weight)
    got = rounded_channels(torch.from_numpy(weight)).numpy()
    step = np.abs(weight).max(axis=(1, 2, 3)) / 127
    assert (np.abs(got - weight) <= step[:, None, None, None] * 0.501).all()
    ours, theirs = (np.square(w - weight).sum() for w in (got, steps * scale[:, None, None, None]))
    assert 0.8 < ours / theirs < 1.25


def test_activations_round_to_a_step_of_their_largest_and_pass_gradients() -> None:
    x = torch.linspace(-2.0, 3.0, 1001, requires_grad=True)
    got = rounded(x)
    assert float((got - x).detach().abs().max()) <= 3.0 / 127 / 2 + 1e-6
    assert len(got.unique()) <= 255
    got.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones_like(x))


def test_a_rounding_network_is_near_the_float_one_and_all_of_it_learns() -> None:
    torch.manual_seed(0)
    plain = Encoder(EncoderSpec(dim=32, side_px=64), fixed_norms=True)
    coarse = copy.deepcopy(plain)
    quantise(coarse)
    pictures = torch.from_numpy(land_like(4, 64, 64))
    rows, wanted = coarse.train()(pictures), plain.train()(pictures)
    cosine = (rows * wanted).sum(dim=1)
    assert 0.9 < float(cosine.detach().min()) < 0.99999  # as far as INT8 is from float, and not nothing
    (1 - cosine.mean()).backward()
    still = [name for name, p in coarse.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []
