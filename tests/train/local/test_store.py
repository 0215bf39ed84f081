"""Weights come back as they were written, with the spec that made them, and only onto their own trunk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from runtime.errors import SkyfixError, TrainError
from train.local.spec import LocalSpec
from train.local.store import build_network, load_local, save_local

SPEC = LocalSpec(data=("overhead:chips@0.3", "world:2"), side=128, footprint=(40.0, 90.0), amp="bf16")


def test_a_file_gives_back_weights_spec_and_scores(default_bundle: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = build_network(str(default_bundle))
    path = tmp_path / "local.safetensors"
    save_local(path, network, SPEC, {"steps": 7.0, "right": 0.25})
    loaded, about = load_local(path, default_bundle)
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert not loaded.training
    assert about["data"] == ["overhead:chips@0.3", "world:2"]
    assert (about["side"], about["footprint"], about["amp"]) == (128, [40.0, 90.0], "bf16")
    assert about["scores"] == {"steps": 7.0, "right": 0.25}


def test_a_trunk_that_is_not_the_bundles_is_refused(default_bundle: Path, tmp_path: Path) -> None:
    network = build_network(str(default_bundle))
    with torch.no_grad():
        next(network.trunk.parameters()).mul_(1.5)
    save_local(tmp_path / "local.safetensors", network, SPEC, {})
    with pytest.raises(TrainError, match="was trained on another encoder's trunk; train it on this: --init"):
        load_local(tmp_path / "local.safetensors", default_bundle)


def test_other_files_are_told_with_what_was_expected(default_bundle: Path, tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors", {"format": "1"})
    with pytest.raises(TrainError, match="holds no local features of format 1; expected RUN/local"):
        load_local(tmp_path / "other.safetensors", default_bundle)
    save_file({"x": torch.zeros(1)}, tmp_path / "shapes.safetensors", {"format": "1", "spec": "{}", "scores": "{}"})
    with pytest.raises(TrainError, match="does not fit the encoder in"):
        load_local(tmp_path / "shapes.safetensors", default_bundle)
    with pytest.raises(SkyfixError, match="gone"):
        load_local(tmp_path / "gone.safetensors", default_bundle)


@pytest.mark.parametrize("side", [0, 32, 100, 255])
def test_a_side_that_the_strides_do_not_divide_is_refused(side: int) -> None:
    with pytest.raises(TrainError, match=f"--side {side} does not fit; expected a multiple of 32 from 64 on"):
        LocalSpec(data=(), side=side)
