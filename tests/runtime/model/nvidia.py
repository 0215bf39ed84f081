"""A device without a device: ``tensorrt`` as far as we use it, over real arithmetic.

An engine runs its ONNX graph on ONNX Runtime, over the memory and the streams of ``machine``.
"""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest

from tests.runtime.model.machine import MAPPED_AT, Machine, cuda_module


class Engine:
    """What deserialisation gives: the ONNX graph again, with its batch fixed."""

    def __init__(self, machine: Machine, batch: int, graph: bytes) -> None:
        self.machine, self.batch, self.int8 = machine, batch, b"QuantizeLinear" in graph
        self.last = b"", np.empty(0)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self.session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def embedding_of(self, image: np.ndarray) -> np.ndarray:
        """By ONNX Runtime; by heart where it has just been asked, so that timing loops cost a test nothing."""
        key = image.tobytes()
        if self.last[0] != key:
            self.last = key, self.session.run(["embedding"], {"image": image})[0]
        return self.last[1]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        tensors = [*self.session.get_inputs(), *self.session.get_outputs()]
        return (self.batch, *next(t.shape for t in tensors if t.name == name)[1:])

    def create_execution_context(self) -> Context:
        return Context(self)


class Context:
    """Runs the engine over the addresses that it was given, when its stream gets there."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.address = engine, dict[str, int]()

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.address[name] = address
        return address >= MAPPED_AT  # the host's own addresses are nothing to a GPU

    def execute_async_v3(self, stream: int) -> bool:
        machine = self.engine.machine
        if machine.recording[stream] is not None and not machine.records:
            return False
        machine.put(stream, "execute", self._execute)
        return True

    def _execute(self) -> None:
        engine, machine = self.engine, self.engine.machine
        shape, out_shape = engine.get_tensor_shape("image"), engine.get_tensor_shape("embedding")
        image = machine.bytes_at(self.address["image"], int(np.prod(shape))).reshape(shape)
        embedding = engine.embedding_of(image)
        spoilt = np.ascontiguousarray(machine.spoil(embedding, engine.int8), np.float32)
        machine.bytes_at(self.address["embedding"], 4 * int(np.prod(out_shape)))[:] = spoilt.view(np.uint8).ravel()
        machine.now_s += machine.cost_s[engine.int8]


class Parser:
    """Takes any file that is there, unless told to find errors."""

    def __init__(self, network: SimpleNamespace, logger: object) -> None:
        self.network, self.errors = network, list(network.errors)
        self.num_errors = len(self.errors)

    def parse_from_file(self, path: str) -> bool:
        self.network.path = Path(path)
        return self.network.path.is_file() and not self.errors

    def get_error(self, i: int) -> SimpleNamespace:
        return SimpleNamespace(desc=lambda: self.errors[i])


def tensorrt_module(
    version: str, machine: Machine, *, parse_errors: tuple[str, ...] = (), builds: bool = True
) -> ModuleType:
    """Make the part of ``tensorrt`` that we use, with the enums of its major version: 11 has no precision flags."""
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
    module.given_timings = []

    class Config:
        def set_memory_pool_limit(self, pool: int, size: int) -> None: ...

        def create_timing_cache(self, held: bytes) -> SimpleNamespace:
            module.given_timings.append(held)
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
            image = SimpleNamespace(shape=None)
            return SimpleNamespace(errors=parse_errors, image=image, get_input=lambda i: image)

        def create_builder_config(self) -> Config:
            return Config()

        def build_serialized_network(self, network: SimpleNamespace, config: Config) -> bytes | None:
            if not builds:
                self.logger.log(severity.WARNING, "slow")
                self.logger.log(severity.ERROR, "no kernel for node 7")
                return None
            return b"ENGN" + bytes([network.image.shape[0]]) + network.path.read_bytes()

    class Runtime:
        def __init__(self, logger: object) -> None:
            self.logger = logger

        def deserialize_cuda_engine(self, data: bytes) -> Engine | None:
            if data[:4] != b"ENGN":
                self.logger.log(severity.ERROR, "magic tag does not match")
                return None
            return Engine(machine, data[4], data[5:])

    module.Builder, module.OnnxParser, module.Runtime = Builder, Parser, Runtime
    return module


def install(
    monkeypatch: pytest.MonkeyPatch,
    machine: Machine,
    version: str = "10.3.0",
    *,
    layout: str = "cuda.bindings.runtime",
    **message: object,
) -> ModuleType:
    """Make both modules importable for a test; the ``tensorrt`` of it."""
    for name in ("cuda.bindings.runtime", "cuda.cudart"):
        monkeypatch.setitem(sys.modules, name, cuda_module(machine) if name == layout else None)
    module = tensorrt_module(version, machine, **message)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module
