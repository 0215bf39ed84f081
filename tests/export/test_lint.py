"""The command that checks graphs from elsewhere."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from export.lint import main
from tests.export.graphs.linted import good, quantise_bias


def test_the_command_tells_findings_by_file_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = good()
    onnx.save(model, tmp_path / "good.onnx")
    quantise_bias(model)
    onnx.save(model, tmp_path / "bad.onnx")
    assert main([str(tmp_path / "good.onnx")]) == 0
    assert main([str(tmp_path / "good.onnx"), str(tmp_path / "bad.onnx")]) == 1
    message = capsys.readouterr().out
    assert "good.onnx: keeps all" in message and "SF12 no-bias-qdq: backbone.stem/Conv (Conv)" in message


def test_a_file_that_is_no_graph_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.onnx").write_text("not a graph", encoding="utf-8")
    for name in ("text.onnx", "none.onnx"):
        assert main([str(tmp_path / name)]) == 1
        message = capsys.readouterr().err
        assert message.startswith("export.lint: ") and name in message and message.count("\n") == 1
