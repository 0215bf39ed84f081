"""A run may start from what was exported: the network then computes what the graph does, or the start is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.bundles.encoder import export_encoder
from export.graphs.drawn_ground import land_like
from runtime.errors import TrainError
from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from train.model.bundle_weights import encoder_settings
from train.model.encoder import Encoder, EncoderSpec


def same(encoder: Encoder, bundle: Path) -> float:
    """The worst cosine of the network to the bundle's FP32 graph."""
    engine = OnnxEngine(Bundle.open(bundle), "fp32")
    pictures = land_like(4, engine.side_px, engine.side_px)
    with torch.inference_mode():
        rows = encoder.eval()(torch.from_numpy(pictures)).numpy()
    return float((rows * engine.embed(pictures)).sum(axis=1).min())


def exported(spec: EncoderSpec, out: Path) -> Path:
    torch.manual_seed(3)
    encoder = Encoder(spec)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # statistics that a fold must not lose
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2.0)
        elif getattr(module, "bias", None) is not None:
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)  # as trained: equal constants are one in a graph
    export_encoder(encoder, out, training={}, licence="Apache-2.0")
    return out


def test_the_encoder_that_ships_reads_back_as_it_flies(default_bundle: Path) -> None:
    settings = {name.removeprefix("encoder."): value for name, value in encoder_settings("default").items()}
    encoder = Encoder(EncoderSpec(init="default", **settings))
    assert same(encoder, default_bundle) > 0.9999
    shorter = Encoder(EncoderSpec(init="default", **{**settings, "dim": 64}))
    assert torch.equal(shorter.head.weight, encoder.head.weight[:64])


def test_another_bundle_reads_back_too(tmp_path: Path) -> None:
    spec = EncoderSpec(dim=16, side_px=64, init="random", backbone="test_efficientnet")
    bundle = exported(spec, tmp_path / "mine.bundle")
    assert same(Encoder(replace(spec, init=str(bundle))), bundle) > 0.9999


def test_a_bundle_of_another_backbone_is_refused_by_name(tmp_path: Path, default_bundle: Path) -> None:
    with pytest.raises(TrainError, match=r"default\.bundle.*start from its checkpoint"):
        Encoder(EncoderSpec(dim=16, side_px=64, init=str(default_bundle), backbone="test_efficientnet"))


def test_a_start_that_is_read_back_is_what_gets_trained(default_bundle: Path) -> None:
    """Folded norms are shifts with fixed statistics: gradients reach every weight."""
    settings = {name.removeprefix("encoder."): value for name, value in encoder_settings("default").items()}
    encoder = Encoder(EncoderSpec(init="default", **settings), fixed_norms=True).train()
    pictures = torch.from_numpy(land_like(2, encoder.spec.side_px, encoder.spec.side_px))
    rows = encoder(pictures)
    (rows[0] @ rows[1]).backward()
    flat = [name for name, p in encoder.named_parameters() if p.grad is None or not np.isfinite(p.grad.norm().item())]
    assert flat == []
