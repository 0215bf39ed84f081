"""The encoder: what it takes and gives, and that its weights are those that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from runtime.errors import TrainError
from train.data.batch import Batch
from train.model.checkpoint import save_encoder
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


def test_a_run_can_start_from_a_checkpoint_with_its_head(tmp_path: Path, one_batch: Callable[[int], Batch]) -> None:
    path = tmp_path / "best.safetensors"
    trained = Encoder(TINY).eval()
    save_encoder(path, trained, {}, {})
    tuned = Encoder(replace(TINY, init=str(path))).eval()
    pictures = one_batch(2).drone
    assert torch.equal(tuned(pictures), trained(pictures))


def test_norms_that_are_fixed_keep_their_statistics_and_learn_their_scale() -> None:
    encoder = Encoder(TINY, fixed_norms=True)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    optimizer = torch.optim.SGD(encoder.train().parameters(), lr=0.1)
    encoder(torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)).sum().backward()
    optimizer.step()
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert not any("running" in name or "num_batches" in name for name in changed)
    assert any("bn1.weight" in name for name in changed)


def test_given_weights_are_all_of_them_and_the_spec_keeps_where_they_once_came_from() -> None:
    torch.manual_seed(0)
    trained = Encoder(TINY)
    spec = replace(TINY, init="long/gone.safetensors")
    again = Encoder(spec, weights=trained.state_dict())
    assert again.spec == spec
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in again.state_dict().items())
    weights = trained.state_dict()
    del weights["head.bias"]
    with pytest.raises(RuntimeError, match=r"Missing key.*head\.bias"):
        Encoder(spec, weights=weights)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_of_the_backbone_alone_and_near_the_whole(
    dtype: torch.dtype, one_batch: Callable[[int], Batch]
) -> None:
    torch.manual_seed(0)
    plain = Encoder(TINY).eval()
    half = Encoder(TINY, amp_dtype=dtype, weights=plain.state_dict()).eval()
    seen: list[torch.dtype] = []
    half.backbone.conv_stem.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    pictures = one_batch(4).drone
    with torch.inference_mode():
        rows, whole = half(pictures), plain(pictures)
        assert seen == [dtype]
        assert rows.dtype == half.features(pictures).dtype == torch.float32
    assert float((rows * whole).sum(dim=1).min()) > 0.99
    assert not torch.equal(rows, whole)


def test_a_spec_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(TrainError, match="pooling 'max' is unknown; expected one of gem, avg, native"):
        replace(TINY, pooling="max")
    with pytest.raises(TrainError, match="dim 0 and side_px 16"):
        replace(TINY, dim=0, side_px=16)
