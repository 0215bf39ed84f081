from __future__ import annotations

import enum
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from calib.sets import read_set
from export import trt
from export.builder import build_engine
from export.device import Device
from export.parity import embed
from runtime.errors import ExportError
from runtime.model.bundle import Bundle
from runtime.model.load import open_engine

ORIN = Device("aarch64", "# R36 (release), REVISION: 4.3", "MAXN", "8.7", 12060)


class FakeParser:
    """Takes any file that is there, unless told to find errors."""

    def __init__(self, network: SimpleNamespace, logger: object) -> None:
        self.errors = list(network.errors)
        self.num_errors = len(self.errors)

    def parse_from_file(self, path: str) -> bool:
        return Path(path).is_file() and not self.errors

    def get_error(self, i: int) -> SimpleNamespace:
        return SimpleNamespace(desc=lambda: self.errors[i])


def fake_tensorrt(version: str, *, parse_errors: tuple[str, ...] = (), builds: bool = True) -> ModuleType:
    """As much of ``tensorrt`` as we use, with the enums of its major version: 11 has no precision flags."""
    module = ModuleType("tensorrt")
    module.__version__ = version
    flags = {"STRONGLY_TYPED": 1} if version.startswith("11") else {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}
    module.NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", flags)
    if version.startswith("10"):
        module.BuilderFlag = enum.IntEnum("BuilderFlag", {"FP16": 0, "INT8": 1})
    module.MemoryPoolType = enum.IntEnum("MemoryPoolType", {"WORKSPACE": 0})
    module.ProfilingVerbosity = enum.IntEnum("ProfilingVerbosity", {"LAYER_NAMES_ONLY": 0, "DETAILED": 2})
    severity = enum.IntEnum("Severity", {"INTERNAL_ERROR": 0, "ERROR": 1, "WARNING": 2})
    module.ILogger = type("ILogger", (), {"Severity": severity})
    module.calls = SimpleNamespace(image=SimpleNamespace(shape=None), given_timings=[])

    class Config:
        def set_memory_pool_limit(self, pool: int, size: int) -> None: ...

        def create_timing_cache(self, held: bytes) -> SimpleNamespace:
            module.calls.given_timings.append(held)
            return SimpleNamespace(serialize=lambda: b"timings")

        def set_timing_cache(self, cache: SimpleNamespace, ignore_mismatch: bool) -> bool:
            self.cache = cache
            return True

        def get_timing_cache(self) -> SimpleNamespace:
            return self.cache

    class Builder:
        def __init__(self, logger: object) -> None:
            self.logger = logger

        def create_network(self, flags: int) -> SimpleNamespace:
            assert flags == 1 << 1, "not strongly typed"
            return SimpleNamespace(errors=parse_errors, get_input=lambda i: module.calls.image)

        def create_builder_config(self) -> Config:
            return Config()

        def build_serialized_network(self, network: object, config: Config) -> bytes | None:
            if not builds:
                self.logger.log(severity.WARNING, "slow")
                self.logger.log(severity.ERROR, "no kernel for node 7")
            return b"engine" if builds else None

    module.Builder, module.OnnxParser = Builder, FakeParser
    return module


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
def test_an_engine_comes_with_a_sidecar_that_says_what_it_is_of(bundle: Path, version: str) -> None:
    fake = fake_tensorrt(version)
    engine = build_engine(fake, Bundle.open(bundle), "fp16", batch=4, device=ORIN)
    assert engine.read_bytes() == b"engine"
    assert fake.calls.image.shape == (4, 64, 64, 3)
    sidecar = json.loads((engine.parent / f"{engine.name}.json").read_text())
    assert sidecar["onnx_sha256"] == Bundle.open(bundle).sha256("encoder.fp16.onnx")
    assert (sidecar["tensorrt"], sidecar["precision"], sidecar["batch"]) == (version, "fp16", 4)
    assert sidecar["device"]["compute_capability"] == "8.7"
    assert sidecar["gate"]["min_cosine"] > 0.999


def test_timings_are_kept_for_the_same_device_and_not_for_another(bundle: Path) -> None:
    fake = fake_tensorrt("10.3.0")
    slower = Device("aarch64", ORIN.tegra_release, "15W", "8.7", 12060)
    for device in (ORIN, ORIN, slower):
        build_engine(fake, Bundle.open(bundle), "fp32", batch=1, device=device)
    assert fake.calls.given_timings == [b"", b"timings", b""]


def test_every_parser_error_is_told(bundle: Path) -> None:
    fake = fake_tensorrt("10.3.0", parse_errors=("node 3: no such operator", "node 9: bad shape"))
    with pytest.raises(ExportError, match="node 3: no such operator; node 9: bad shape"):
        build_engine(fake, Bundle.open(bundle), "fp32", batch=1, device=ORIN)
    assert not (bundle / "engines").exists()


def test_a_builder_that_returns_nothing_is_told_with_its_errors(bundle: Path) -> None:
    with pytest.raises(ExportError, match=r"builds no engine of encoder\.onnx: no kernel for node 7$"):
        build_engine(fake_tensorrt("11.4.1", builds=False), Bundle.open(bundle), "fp32", batch=1, device=ORIN)


def test_the_command_builds_where_tensorrt_is(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt("10.3.0"))
    assert trt.main([str(bundle)]) == 0
    assert "encoder.fp16.b1.engine: built by TensorRT 10.3.0" in capsys.readouterr().out


def test_an_old_tensorrt_is_refused_in_one_line(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt("8.6.2"))
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


def test_int8_enters_the_bundle_with_its_gates(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trt.main(["--int8", str(bundle), "--graph-only"]) == 0
    assert "TensorRT" not in capsys.readouterr().out
    opened = Bundle.open(bundle)
    assert opened.precisions == ("fp32", "fp16", "int8")
    gate = opened.manifest["gates"]["int8"]
    assert gate["calibration_sha256"] == opened.manifest["calibration"]["sha256"]
    assert gate["pictures"] == 12
    assert opened.file("encoder.int8.onnx").stat().st_size < 0.35 * opened.file("encoder.onnx").stat().st_size


def test_the_runtime_computes_an_int8_graph_as_it_is_written_on_any_cpu(bundle: Path) -> None:
    assert trt.main(["--int8", str(bundle), "--graph-only"]) == 0
    pictures, _ = read_set(bundle)
    as_written = embed(bundle / "encoder.int8.onnx", pictures, optimise=False)
    cosine = (as_written * open_engine(bundle, "int8", threads=1).embed(pictures)).sum(axis=1)
    assert cosine.mean() > 0.99


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
