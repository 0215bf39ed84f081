"""An estimate is never given out as a measurement."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import ModelProto

from export.estimate import main
from export.estimates.jetsons import MODULES
from runtime.model.bundle import file_entry, write_manifest
from runtime.model.manifest import FORMAT


@pytest.fixture
def bundle(small: ModelProto, tmp_path: Path) -> Path:
    onnx.save(small, tmp_path / "encoder.onnx")
    encoder = {"backbone": "tiny", "dim": 5, "side_px": 8}
    files = {"encoder.onnx": file_entry(tmp_path / "encoder.onnx", "fp32")}
    write_manifest(tmp_path, {"format": FORMAT, "kind": "encoder", "name": "tiny", "encoder": encoder, "files": files})
    return tmp_path


def test_every_figure_stands_under_the_words_estimate_not_measured(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(bundle), "--device", "orin-nano-super", "--precision", "int8"]) == 0
    message = capsys.readouterr().out
    assert "Orin Nano Super, INT8" in message and message.count("estimate, not measured") == 2
    assert "backbone/Conv" in message
    assert main([str(bundle), "--all"]) == 0
    message = capsys.readouterr().out
    assert "estimate, not measured" in message and all(board.name in message for board in MODULES.values())


def test_a_folder_that_is_no_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none"), "--all"]) == 1
    message = capsys.readouterr().err
    assert (
        message.startswith("export.estimate: ")
        and "make one: python -m export.onnx" in message
        and message.count("\n") == 1
    )
