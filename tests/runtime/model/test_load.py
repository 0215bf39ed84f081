from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from runtime.model.engine_trt import TrtEngine
from runtime.model.load import choose_engine, open_engine
from tests.runtime.model.built import build
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install


def test_the_engine_of_this_device_is_chosen_and_flies_a_cache_that_the_desktop_built(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desktop = OnnxEngine(bundle)
    install(monkeypatch, Machine())
    build(bundle)
    build(bundle, batch=4)
    engine, why = choose_engine(bundle.path, "fp32", 1)
    assert isinstance(engine, TrtEngine) and engine.batch == 1 and why == ""
    assert (engine.encoder_sha256, engine.precision) == (desktop.encoder_sha256, desktop.precision)
    engine.close()
    open_engine(bundle.path, "fp32", 1)
    assert capsys.readouterr().err == ""


def test_an_engine_that_does_not_fit_leaves_onnx_runtime_and_one_line_of_why(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, Machine())
    build(bundle)
    install(monkeypatch, Machine(), "10.7.0")
    assert "ONNX Runtime" in open_engine(bundle.path, "fp32", 1).name
    (message,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert message.startswith("encoder on ONNX Runtime") and "\n" not in message
    assert "its tensorrt is 10.3.0, here it is 10.7.0; build it again: python -m export.trt" in message


def test_a_device_without_an_engine_says_how_to_make_one_and_a_desktop_says_nothing(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert choose_engine(bundle.path, None, 1)[1] == ""
    install(monkeypatch, Machine())
    assert "make one: python -m export.trt" in choose_engine(bundle.path, None, 1)[1]
    assert "build it with --precision fp16" in choose_engine(bundle.path, "fp32", 1)[1]
    install(monkeypatch, Machine(), "8.6.2")
    assert "TensorRT 8.6.2 is too old" in choose_engine(bundle.path, None, 1)[1]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_encoder_that_ships_passes_its_self_check_here(default_bundle: Path, precision: str) -> None:
    assert ", self-check 0.99" in (name := open_engine(default_bundle, precision, threads=1).name) or "1.0000" in name
