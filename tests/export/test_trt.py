from __future__ import annotations

import itertools
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from calib.samples.stored_set import read_set
from export import trt
from export.engines.builder import build_engine
from export.engines.device import Device
from export.engines.selection import build_and_keep
from export.int8.gates import MIN_MEAN_COSINE
from export.graphs.parity import embed
from runtime.errors import ExportError
from runtime.model.bundle import Bundle, write_manifest
from runtime.model.cuda import Gpu
from runtime.model.load import open_engine
from tests.runtime.model.nvidia import Machine, install, tensorrt_module

ORIN = Device("aarch64", "# R36 (release), REVISION: 4.3", "MAXN", 12060, Gpu("Orin", "8.7", 8, True))


@pytest.fixture(scope="session")
def with_int8(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle with its INT8 graph, made by the command; not to be written to."""
    path = Path(shutil.copytree(exported, tmp_path_factory.mktemp("int8") / "tiny.bundle"))
    assert trt.main(["--int8", str(path), "--graph-only"]) == 0
    return path


@pytest.fixture
def int8_bundle(with_int8: Path, tmp_path: Path) -> Bundle:
    """A copy that a test may spoil."""
    return Bundle.open(Path(shutil.copytree(with_int8, tmp_path / "int8.bundle")))


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
def test_an_engine_comes_with_a_sidecar_that_says_what_it_is_of(bundle: Path, version: str) -> None:
    fake = tensorrt_module(version, Machine())
    engine = build_engine(fake, Bundle.open(bundle), "fp16", batch=4, device=ORIN)
    assert engine.read_bytes().startswith(b"ENGN\4")
    sidecar = json.loads((engine.parent / f"{engine.name}.json").read_text())
    assert sidecar["onnx_sha256"] == Bundle.open(bundle).sha256("encoder.fp16.onnx")
    assert (sidecar["tensorrt"], sidecar["precision"], sidecar["batch"]) == (version, "fp16", 4)
    assert (sidecar["gpu"]["compute_capability"], sidecar["device"]["power_mode"]) == ("8.7", "MAXN")
    assert sidecar["gate"]["min_cosine"] >= sidecar["gate"]["required"] == 0.9999


def test_timings_are_kept_for_the_same_device_and_not_for_another(bundle: Path) -> None:
    fake = tensorrt_module("10.3.0", Machine())
    slower, newer = replace(ORIN, power_mode="15W"), tensorrt_module("10.7.0", Machine())
    for module, device in ((fake, ORIN), (fake, ORIN), (fake, slower), (newer, ORIN)):
        build_engine(module, Bundle.open(bundle), "fp32", batch=1, device=device)
    assert fake.given_timings == [b"", b"timings", b""]
    assert newer.given_timings == [b""]


def test_no_engine_is_built_where_no_gpu_is_told_of(bundle: Path) -> None:
    with pytest.raises(ExportError, match=r"no GPU is told of here.*pip install cuda-python"):
        build_engine(
            tensorrt_module("10.3.0", Machine()), Bundle.open(bundle), "fp32", batch=1, device=replace(ORIN, gpu=None)
        )


def test_every_parser_error_is_told(bundle: Path) -> None:
    fake = tensorrt_module("10.3.0", Machine(), parse_errors=("node 3: no such operator", "node 9: bad shape"))
    with pytest.raises(ExportError, match="node 3: no such operator; node 9: bad shape"):
        build_engine(fake, Bundle.open(bundle), "fp32", batch=1, device=ORIN)
    assert not (bundle / "engines").exists()


def test_a_builder_that_returns_nothing_is_told_with_its_errors(bundle: Path) -> None:
    with pytest.raises(ExportError, match=r"builds no engine of encoder\.onnx: no kernel for node 7$"):
        fake = tensorrt_module("11.4.1", Machine(), builds=False)
        build_engine(fake, Bundle.open(bundle), "fp32", batch=1, device=ORIN)


def test_the_command_builds_times_and_writes_down_where_tensorrt_is(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine())
    assert trt.main([str(bundle)]) == 0
    told = capsys.readouterr().out
    assert "fp16, TensorRT 10.3.0 on Orin, CUDA graph, self-check" in told and "ms p99 of 200 calls" in told
    sidecar = json.loads((bundle / "engines/encoder.fp16.b1.engine.json").read_text())
    assert sidecar["latency_ms"]["p50"] > 0
    assert "TensorRT 10.3.0 on Orin" in open_engine(bundle, None, 1).name


def kept(bundle: Bundle) -> set[str]:
    return {path.name for path in (bundle.path / "engines").glob("*.engine*")}


def run_int8(bundle: Bundle, machine: Machine, monkeypatch: pytest.MonkeyPatch, version: str = "10.3.0") -> list[str]:
    """What ``export.trt --int8`` tells on that machine, whose executions take the time that it says."""
    fake = install(monkeypatch, machine, version)
    held_out = read_set(bundle.path)[0][3::4]
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
    assert sidecar["calibration_sha256"] == int8_bundle.manifest["calibration"]["sha256"]
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


def test_int8_enters_the_bundle_with_its_gates_and_its_place_beside_the_golden_embedding(int8_bundle: Bundle) -> None:
    assert int8_bundle.precisions == ("fp32", "fp16", "int8")
    gate = int8_bundle.manifest["gates"]["int8"]
    assert gate["calibration_sha256"] == int8_bundle.manifest["calibration"]["sha256"]
    assert gate["pictures"] == 12
    assert int8_bundle.file("encoder.int8.onnx").stat().st_size < 0.35 * int8_bundle.file("encoder.onnx").stat().st_size
    golden = int8_bundle.manifest["golden"]["min_cosine"]
    assert golden["fp32"] == 0.998 > golden["int8"] > 0.9


def test_int8_has_a_twin_that_says_of_what_and_that_a_cpu_flies_in_its_name(int8_bundle: Bundle) -> None:
    pictures, _ = read_set(int8_bundle.path)
    entry, of = int8_bundle.manifest["files"]["encoder.int8.cpu.onnx"], int8_bundle.sha256("encoder.int8.onnx")
    assert entry["twin_of"] == of != entry["sha256"]
    engine = open_engine(int8_bundle.path, "int8", threads=1)
    assert engine.encoder_sha256 == of
    as_written = embed(int8_bundle.file("encoder.int8.cpu.onnx"), pictures, optimise=False)
    assert (as_written * engine.embed(pictures)).sum(axis=1).mean() >= MIN_MEAN_COSINE
    gates = int8_bundle.manifest["gates"]["int8"]["files"]
    assert set(gates) == {"encoder.int8.onnx", "encoder.int8.cpu.onnx"}
    assert all(gate["cosine_mean"] >= MIN_MEAN_COSINE for gate in gates.values())


def test_tensorrt_is_given_the_graph_whose_floats_are_halved(int8_bundle: Bundle) -> None:
    fake = tensorrt_module("10.3.0", Machine())
    engine = build_engine(fake, int8_bundle, "int8", batch=1, device=ORIN)
    given = engine.read_bytes()[5:]
    assert given == int8_bundle.file("encoder.int8.onnx").read_bytes()
    graph = onnx.load_from_string(given).graph
    types = {w.name: w.data_type for w in graph.initializer}
    scales = [types[node.input[1]] for node in graph.node if node.op_type == "DequantizeLinear"]
    assert scales and set(scales) == {onnx.TensorProto.FLOAT16}


def test_an_int8_graph_is_made_once_for_a_calibration_set_so_that_maps_built_with_it_still_fly(
    int8_bundle: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine())
    monkeypatch.setitem(sys.modules, "onnx", None)  # a device need not have it
    (int8_bundle.path / "calibration.safetensors").unlink()  # nor the pictures
    assert trt.main(["--int8", str(int8_bundle.path)]) == 0
    told = capsys.readouterr().out
    assert "encoder.int8.onnx: in the bundle already" in told and "on drawn ground" in told and "--precision" in told
    write_manifest(int8_bundle.path, {**int8_bundle.manifest, "calibration": {"sha256": "another"}})
    assert trt.main(["--int8", str(int8_bundle.path)]) == 1
    assert "onnx is not installed" in capsys.readouterr().err


def test_an_altered_calibration_set_is_refused(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray((bundle / "calibration.safetensors").read_bytes())
    data[-1] ^= 1
    (bundle / "calibration.safetensors").write_bytes(data)
    assert trt.main(["--int8", str(bundle), "--graph-only"]) == 1
    told = capsys.readouterr().err
    assert "was altered" in told and "python -m calib.int8" in told and told.count("\n") == 1
    assert not (bundle / "encoder.int8.onnx").exists()


def test_a_batch_of_nothing_is_a_usage_error(bundle: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        trt.main([str(bundle), "--batch", "0"])
