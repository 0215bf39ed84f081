from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest

from calib.samples.stored_set import read_set
from export.engines.selection import build_and_keep
from runtime.model.bundle import Bundle
from runtime.model.load import open_engine
from tests.export.engines.orin import ORIN
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install


def kept(bundle: Bundle) -> set[str]:
    return {path.name for path in (bundle.path / "engines").glob("*.engine*")}


def run_int8(bundle: Bundle, machine: Machine, monkeypatch: pytest.MonkeyPatch, version: str = "10.3.0") -> list[str]:
    """What ``export.trt --int8`` tells on that machine, whose executions take the time that it says."""
    fake = install(monkeypatch, machine, version)
    held_out = read_set(bundle.path).pictures[3::4]
    return build_and_keep(fake, bundle, held_out, batch=1, device=ORIN, clock=lambda: machine.now_s)


FP16 = {"encoder.fp16.b1.engine", "encoder.fp16.b1.engine.json"}


INT8 = {"encoder.int8.b1.engine", "encoder.int8.b1.engine.json"}


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
def test_a_faster_int8_engine_is_kept_and_flies(
    int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    fp16, int8, verdict = run_int8(int8_bundle, Machine(), monkeypatch, version)
    assert "2.000 ms p50" in fp16 and "1.000 ms p50" in int8 and "power mode MAXN" in int8
    assert verdict == "INT8 is kept: 2.00 times as fast as FP16, and through its gate"
    assert kept(int8_bundle) == FP16 | INT8
    sidecar = json.loads((int8_bundle.path / "engines/encoder.int8.b1.engine.json").read_text())
    assert sidecar["latency_ms"] == {"p50": 1.0, "p99": 1.0, "calls": 200}
    assert sidecar["calibration_sha256"] == int8_bundle.manifest.document["calibration"]["sha256"]
    assert open_engine(int8_bundle.path, None, 1).precision == "int8"


@pytest.mark.parametrize("int8_s", [0.003, 0.002], ids=["slower", "no faster"])
def test_int8_that_is_no_faster_is_removed_and_fp16_flies(
    int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, int8_s: float
) -> None:
    machine = Machine()
    machine.cost_s = {False: 0.002, True: int8_s}
    *_, verdict = run_int8(int8_bundle, machine, monkeypatch)
    assert (
        verdict == f"FP16 flies, and the INT8 engine was removed: {int8_s * 1e3:.3f} ms against 2.000 ms is no faster"
    )
    assert kept(int8_bundle) == FP16
    assert open_engine(int8_bundle.path, None, 1).precision == "fp16"


def test_int8_that_computes_something_else_is_removed_however_fast(
    int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    machine.spoil = lambda embedding, int8: np.roll(embedding, 1, axis=1) if int8 else embedding
    *_, verdict = run_int8(int8_bundle, machine, monkeypatch)
    assert verdict.startswith("FP16 flies, and the INT8 engine was removed: tiny int8, TensorRT")
    assert "computes another embedding" in verdict
    assert kept(int8_bundle) == FP16 and not machine.live


def test_int8_that_fails_on_pictures_of_ground_is_removed_though_its_self_check_is_good(
    int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    calls = itertools.count()  # the warm-up and the self-check come first
    machine.spoil = lambda e, int8: np.roll(e, 1, axis=1) if int8 and next(calls) >= 2 else e
    *_, verdict = run_int8(int8_bundle, machine, monkeypatch)
    assert re.search(r"the INT8 engine was removed: encoder\.int8\.b1\.engine: picture \d+ has cosine", verdict)
    assert kept(int8_bundle) == FP16
