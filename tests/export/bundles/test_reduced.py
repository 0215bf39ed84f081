from __future__ import annotations

import sys
from pathlib import Path

import pytest

from calib.samples.stored_set import read_set
from export import trt
from export.graphs.parity import embed
from export.int8.gates import MIN_MEAN_COSINE
from runtime.model.bundle import Bundle, write_manifest
from runtime.model.load import open_engine
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install


def test_int8_enters_the_bundle_with_its_gates_and_its_place_beside_the_golden_embedding(int8_bundle: Bundle) -> None:
    assert int8_bundle.precisions == ("fp32", "fp16", "int8")
    gate = int8_bundle.manifest.document["gates"]["int8"]
    assert gate["calibration_sha256"] == int8_bundle.manifest.document["calibration"]["sha256"]
    assert gate["pictures"] == 12
    assert int8_bundle.file("encoder.int8.onnx").stat().st_size < 0.35 * int8_bundle.file("encoder.onnx").stat().st_size
    golden = int8_bundle.manifest.document["golden"]["min_cosine"]
    assert golden["fp32"] == 0.998 > golden["int8"] > 0.9


def test_int8_has_a_twin_that_says_of_what_and_that_a_cpu_flies_in_its_name(int8_bundle: Bundle) -> None:
    pictures = read_set(int8_bundle.path).pictures
    entry, of = int8_bundle.manifest.document["files"]["encoder.int8.cpu.onnx"], int8_bundle.sha256("encoder.int8.onnx")
    assert entry["twin_of"] == of != entry["sha256"]
    engine = open_engine(int8_bundle.path, "int8", threads=1)
    assert engine.encoder_sha256 == of
    as_written = embed(int8_bundle.file("encoder.int8.cpu.onnx"), pictures, optimise=False)
    assert (as_written * engine.embed(pictures)).sum(axis=1).mean() >= MIN_MEAN_COSINE
    gates = int8_bundle.manifest.document["gates"]["int8"]["files"]
    assert set(gates) == {"encoder.int8.onnx", "encoder.int8.cpu.onnx"}
    assert all(gate["cosine_mean"] >= MIN_MEAN_COSINE for gate in gates.values())


def test_an_int8_graph_is_made_once_for_a_calibration_set_so_that_maps_built_with_it_still_fly(
    int8_bundle: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine())
    monkeypatch.setitem(sys.modules, "onnx", None)  # a device need not have it
    (int8_bundle.path / "calibration.safetensors").unlink()  # nor the pictures
    assert trt.main(["--int8", str(int8_bundle.path)]) == 0
    message = capsys.readouterr()
    assert "encoder.int8.onnx: in the bundle already" in message.out and "--precision" in message.out
    assert "on drawn ground" in message.err
    write_manifest(int8_bundle.path, int8_bundle.manifest.with_sections(calibration={"sha256": "another"}))
    assert trt.main(["--int8", str(int8_bundle.path)]) == 1
    assert "onnx is not installed" in capsys.readouterr().err


def test_an_altered_calibration_set_is_refused(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray((bundle / "calibration.safetensors").read_bytes())
    data[-1] ^= 1
    (bundle / "calibration.safetensors").write_bytes(data)
    assert trt.main(["--int8", str(bundle), "--graph-only"]) == 1
    message = capsys.readouterr().err
    assert "was altered" in message and "python -m calib.int8" in message and message.count("\n") == 1
    assert not (bundle / "encoder.int8.onnx").exists()
