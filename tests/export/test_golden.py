"""The command that enters a golden embedding into a bundle of before."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.golden import main
from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from tests.export.toy import toy_bundle


def test_a_bundle_of_before_is_checked_once_the_command_has_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toy = toy_bundle(tmp_path / "toy.bundle")
    assert "unchecked" in OnnxEngine(Bundle.open(toy), threads=1).name
    assert main([str(toy)]) == 0
    assert capsys.readouterr().out == (f"{toy}: engines must come to the golden embedding by cosine: fp32 0.9980\n")
    assert OnnxEngine(Bundle.open(toy), threads=1).name.endswith("self-check 1.0000")


def test_a_folder_that_is_no_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("export.golden: ") and "has no manifest.json" in message and message.count("\n") == 1
