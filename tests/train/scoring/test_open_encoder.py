"""An encoder from a checkpoint or a bundle is the same function of pictures, whole or cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import SettingsError, TrainError
from runtime.files import sha256_of
from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from train.model.checkpoint import save_encoder
from train.model.encoder import Encoder, EncoderSpec
from train.scoring.open_encoder import open_encoder

TINY = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")


def noise(count: int, side_px: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side_px, side_px, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_encoder(path, Encoder(TINY), {}, {})
    return path


def test_a_checkpoint_is_named_by_its_backbone_and_the_hash_of_its_file(checkpoint: Path) -> None:
    opened = open_encoder(checkpoint)
    assert (opened.side_px, opened.dim) == (32, 16)
    assert opened.card.sha256 == sha256_of(checkpoint)
    assert opened.card.name == f"test_efficientnet fp32, PyTorch {torch.__version__}"
    rows = opened.embed(noise(3, 32))
    assert rows.shape == (3, 16)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)


def test_a_bundle_computes_what_its_engine_does(default_bundle: Path) -> None:
    opened, engine = open_encoder(default_bundle), OnnxEngine(Bundle.open(default_bundle), None)
    pictures = noise(2, opened.side_px)
    assert np.array_equal(opened.embed(pictures), engine.embed(pictures))
    assert opened.card.sha256 == engine.encoder_sha256


def test_cut_and_flipped_embeddings_are_those_of_the_whole_encoder(checkpoint: Path) -> None:
    pictures = noise(3, 32)
    embed = open_encoder(checkpoint).embed
    whole, mirrored = embed(pictures), embed(np.ascontiguousarray(pictures[:, :, ::-1]))
    cut = open_encoder(checkpoint, dim=5, flips=True)
    both = (whole + mirrored)[:, :5]
    assert cut.dim == cut.card.dim == 5
    assert np.allclose(cut.embed(pictures), both / np.linalg.norm(both, axis=1, keepdims=True), atol=1e-6)


def test_lengths_and_precisions_that_there_are_not_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    for dim in (0, 17):
        with pytest.raises(SettingsError, match=f"--dim {dim}: .* gives 16 numbers; expected 1 to 16"):
            open_encoder(checkpoint, dim=dim)
    with pytest.raises(SettingsError, match="--precision int8 is of a bundle"):
        open_encoder(checkpoint, "int8")
    with pytest.raises(TrainError, match="is missing"):
        open_encoder(tmp_path / "best.safetensors")
    assert replace(open_encoder(checkpoint, "fp32").card, path=checkpoint).dim == 16
