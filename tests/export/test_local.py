"""Local features go into the bundle of the encoder whose trunk they stand on, and the runtime reads them there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.local import main
from export.pictures import land_like
from runtime.locate.features import LocalFeatures
from runtime.model.bundle import MATCHER_FILE, Bundle
from train.local.spec import LocalSpec
from train.local.store import build_network, save_local


@pytest.fixture
def checkpoint_of(tmp_path: Path) -> Path:
    return tmp_path / "local.safetensors"


def write_checkpoint(path: Path, bundle: Path) -> Path:
    save_local(path, build_network(str(bundle)), LocalSpec(data=("overhead:chips",)), {"right": 0.5})
    return path


def test_the_bundle_brings_features_that_the_runtime_reads(
    bundle: Path, checkpoint_of: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not Bundle.open(bundle).has_local_features
    write_checkpoint(checkpoint_of, bundle)
    assert main([str(checkpoint_of), "--bundle", str(bundle), "--patch-px", "320"]) == 0
    assert MATCHER_FILE in capsys.readouterr().out
    opened = Bundle.open(bundle)
    assert opened.has_local_features
    assert opened.patch_px == 320
    assert opened.manifest["matcher"]["training"]["data"] == ["overhead:chips"]
    features = LocalFeatures(opened, threads=1)
    picture = land_like(1, 150, 203)[0]  # no multiple of 32
    descriptor, keypoint, _ = features.dense(picture)
    assert descriptor.shape == (1, 64, 160 // 4, 224 // 4)
    assert keypoint.shape == (1, 160, 224)
    found = features.detect(picture, np.ones((150, 203), bool), 100)
    assert np.linalg.norm(found.descriptor, axis=1) == pytest.approx(1.0, abs=1e-4)


def test_features_of_another_trunk_are_refused_and_the_bundle_stays(
    bundle: Path, default_bundle: Path, checkpoint_of: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file()}
    write_checkpoint(checkpoint_of, default_bundle)
    assert main([str(checkpoint_of), "--bundle", str(bundle)]) == 1
    assert f"--init {bundle}" in capsys.readouterr().err
    assert main([str(bundle / "encoder.onnx"), "--bundle", str(bundle)]) == 1
    assert "safetensors" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file()} == before
