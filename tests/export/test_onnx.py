from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from export.onnx import main


def test_other_files_and_lengths_are_one_line_each(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, state = tmp_path / "timm.safetensors", tmp_path / "state.pt"
    save_file({"conv.weight": torch.zeros(1)}, weights)
    torch.save({"step": 1}, state)
    for checkpoint, flags, message in (
        (weights, [], f"--init {weights}"),
        (state, [], "expected RUN/best.safetensors"),
        (tiny_checkpoint, ["--dim", "17"], "embeddings of length 16; --dim takes 1 to 16, not 17"),
        (tiny_checkpoint, ["--pictures", str(tmp_path)], "holds no pictures"),
    ):
        assert main([str(checkpoint), "--out", str(tmp_path / "a.bundle"), *flags]) == 1
        line = capsys.readouterr().err
        assert line.startswith("export.onnx: ") and message in line and line.count("\n") == 1
    assert not (tmp_path / "a.bundle").exists()


def test_a_missing_checkpoint_is_one_line_and_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.safetensors"), "--out", str(tmp_path / "a.bundle")]) == 1
    message = capsys.readouterr().err
    assert message.startswith("export.onnx: ") and "none.safetensors is missing" in message and message.count("\n") == 1
