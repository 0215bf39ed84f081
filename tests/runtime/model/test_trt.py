"""TensorRT may be missing, too old, or refuse something without a word."""

from __future__ import annotations

import sys

import pytest

from runtime.errors import EngineError
from runtime.model.trt import TrtLog, tensorrt_or_none
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install, tensorrt_module


@pytest.mark.parametrize("version", ["10.0.0", "10.3.0", "11.4.1"])
def test_the_library_is_taken_from_major_version_10_on(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    assert tensorrt_or_none() is None or sys.modules["tensorrt"]
    module = install(monkeypatch, Machine(), version)
    assert tensorrt_or_none() is module


def test_an_older_one_is_refused_with_the_jetpack_that_brings_a_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Machine(), "8.6.2")
    with pytest.raises(
        EngineError, match=r"TensorRT 8\.6\.2 is too old: 10 or newer is needed, which JetPack 6\.1 brings"
    ):
        tensorrt_or_none()


def test_where_it_is_not_installed_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert tensorrt_or_none() is None


def test_the_log_keeps_errors_in_order_and_no_warnings() -> None:
    module = tensorrt_module("10.3.0", Machine())
    log = TrtLog(module)
    assert log.describe() == "it gives no reason"
    severity = module.ILogger.Severity
    log.logger.log(severity.WARNING, "slow")
    log.logger.log(severity.ERROR, "no kernel for node 7")
    log.logger.log(severity.INTERNAL_ERROR, "bad state")
    assert log.describe() == "no kernel for node 7; bad state"
