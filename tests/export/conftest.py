"""One small trained-like encoder, exported once: ImageNet weights at 64 px, a drawn head."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest
import torch

from calib.int8 import main as choose_pictures
from export.onnx import main as export_bundle
from export.graphs.drawn_ground import land_like
from train.model.checkpoint import save_encoder
from train.model.encoder import Encoder, EncoderSpec

SIDE_PX, DIM = 64, 32


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_encoder(
        path, Encoder(EncoderSpec(dim=DIM, side_px=SIDE_PX)), {"data": ["site:/home/me/hill@0.2"]}, {"steps": 0}
    )
    return path


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with FP32 and FP16 graphs and a calibration set, made by the commands; not to be written to."""
    bundle = tmp_path_factory.mktemp("exported") / "tiny.bundle"
    assert export_bundle([str(checkpoint), "--out", str(bundle)]) == 0
    pictures = tmp_path_factory.mktemp("pictures")
    for i, picture in enumerate(land_like(48, SIDE_PX, SIDE_PX, seed=1)):
        cv2.imwrite(str(pictures / f"{i:03d}.png"), picture[..., ::-1])
    assert choose_pictures(["--from", str(pictures), "--bundle", str(bundle), "--count", "48"]) == 0
    return bundle


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(exported, tmp_path / "tiny.bundle"))
