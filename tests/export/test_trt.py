from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from export import trt
from runtime.model.bundle import Bundle
from runtime.model.load import open_engine
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install


def test_the_command_builds_times_and_writes_down_where_tensorrt_is(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine())
    assert trt.main([str(bundle)]) == 0
    message = capsys.readouterr().out
    assert "fp16, TensorRT 10.3.0 on Orin, CUDA graph, self-check" in message and "ms p99 of 200 calls" in message
    sidecar = json.loads((bundle / "engines/encoder.fp16.b1.engine.json").read_text())
    assert sidecar["latency_ms"]["p50"] > 0
    assert "TensorRT 10.3.0 on Orin" in open_engine(bundle, None, 1).name


def test_an_old_tensorrt_is_refused_in_one_line(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine(), "8.6.2")
    assert trt.main([str(bundle)]) == 1
    assert "TensorRT 8.6.2 is too old" in capsys.readouterr().err


def test_without_tensorrt_the_graph_is_made_and_one_line_says_what_is_missing(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    (bundle / "encoder.fp16.onnx").unlink()
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["files"]["encoder.fp16.onnx"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    assert trt.main(["--fp16", str(bundle)]) == 0
    assert "TensorRT 10 or newer is not installed here" in capsys.readouterr().out
    assert Bundle.open(bundle).file("encoder.fp16.onnx").is_file()


def test_a_batch_of_nothing_is_a_usage_error(bundle: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        trt.main([str(bundle), "--batch", "0"])
