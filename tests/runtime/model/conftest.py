"""Bundles that tests may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from export.golden import main as enter_golden
from runtime.model.bundle import ENCODER_FILES, Bundle, file_entry, write_manifest
from tests.runtime.model.mean_encoder import SIDE_PX, write_graph


@pytest.fixture
def bundle(toy_bundle: Path, tmp_path: Path) -> Bundle:
    """A copy that a test may spoil, with its golden embedding."""
    path = Path(shutil.copytree(toy_bundle, tmp_path / "toy.bundle"))
    assert enter_golden([str(path)]) == 0
    return Bundle.open(path)


@pytest.fixture
def mean_bundle(tmp_path: Path) -> Path:
    path = tmp_path / "mean.bundle"
    path.mkdir()
    files = {}
    for precision, name in ENCODER_FILES.items():
        write_graph(path / name)
        files[name] = file_entry(path / name, precision)
    encoder = {"side_px": SIDE_PX, "dim": 3}
    write_manifest(path, {"format": 1, "kind": "encoder", "name": "mean", "files": files, "encoder": encoder})
    return path
