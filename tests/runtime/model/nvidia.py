"""A device without a device: ``cuda.bindings.runtime`` and ``tensorrt`` as far as we use them, over real arithmetic.

Memory is bytes found by address, a stream does nothing until it is waited for, a recorded stream nothing at all until
its graph is launched, and an engine runs its ONNX graph on ONNX Runtime. So a wrong address, a copy left out, or a
result read too early gives wrong numbers or an error, as on a GPU.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest

MAPPED_AT = 1 << 50  # the GPU's address of mapped memory is the host's plus this
OWN_AT = 1 << 52  # the GPU's own memory
NOT_ANSWERED, BAD_ADDRESS, BROKEN = 35, 1, 901
Work = Callable[[], None]


class Status(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = BAD_ADDRESS
    cudaErrorInsufficientDriver = NOT_ANSWERED
    cudaErrorStreamCaptureInvalidated = BROKEN


class Machine:
    """One GPU and what happens on it."""

    def __init__(self, *, integrated: bool = True, name: str = "Orin", multiprocessors: int = 8) -> None:
        self.integrated, self.name, self.multiprocessors = integrated, name, multiprocessors
        self.has_gpu, self.records = True, True
        self.spoil: Callable[[np.ndarray, bool], np.ndarray] = lambda embedding, int8: embedding
        self.cost_s = {False: 0.002, True: 0.001}  # of one execution, by whether it is INT8
        self.now_s = 0.0
        self.calls: list[str] = []
        self.held: dict[int, np.ndarray] = {}  # host and GPU address -> bytes
        self.live: set[tuple[str, int]] = set()  # what was made and not freed
        self.waiting: dict[int, list[Work]] = {}  # by stream
        self.recording: dict[int, list[Work] | None] = {}
        self.graphs: dict[int, list[Work]] = {}
        self._next = 100

    def made(self, kind: str, handle: int | None = None) -> int:
        self._next += 1
        handle = self._next if handle is None else handle
        self.live.add((kind, handle))
        return handle

    def put(self, stream: int, name: str, work: Work) -> None:
        """Put named work on a stream: to be done when somebody waits, or kept for a graph."""
        target = self.recording.get(stream)

        def named() -> None:
            self.calls.append(f"  {name}")
            work()

        (self.waiting[stream] if target is None else target).append(named)

    def bytes_at(self, address: int, size: int) -> np.ndarray:
        memory = self.held[address]  # KeyError: nobody allocated that
        assert len(memory) == size, f"{size} bytes where {len(memory)} were allocated"
        return memory


def cuda_module(machine: Machine) -> ModuleType:
    """As much of cuda-python as we use: every call returns a tuple with its status first."""
    module = ModuleType("cuda.bindings.runtime")
    module.cudaHostAllocMapped, module.cudaStreamNonBlocking = 2, 1
    module.cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)
    module.cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    calls = (*_memory_calls(machine), *_stream_calls(machine), *_graph_calls(machine))

    def logged(call: Callable[..., tuple]) -> Callable[..., tuple]:
        def run(*args: object) -> tuple:
            machine.calls.append(call.__name__)
            return call(*args)

        return run

    for call in calls:
        setattr(module, call.__name__, logged(call))
    return module


def _memory_calls(machine: Machine) -> list[Callable[..., tuple]]:
    def cudaGetDeviceProperties(device: int) -> tuple:
        if not machine.has_gpu:
            return Status.cudaErrorInsufficientDriver, None
        name = machine.name.encode()
        return Status.cudaSuccess, SimpleNamespace(
            name=name, major=8, minor=7, multiProcessorCount=machine.multiprocessors, integrated=machine.integrated
        )

    def cudaRuntimeGetVersion() -> tuple:
        return Status.cudaSuccess, 12060

    def cudaHostAlloc(size: int, flags: int) -> tuple:
        memory = np.full(size, 0xA5, np.uint8)
        address = machine.made("host", memory.ctypes.data)
        machine.held[address] = memory
        return Status.cudaSuccess, address

    def cudaHostGetDevicePointer(address: int, flags: int) -> tuple:
        machine.held[address + MAPPED_AT] = machine.held[address]
        return Status.cudaSuccess, address + MAPPED_AT

    def cudaMalloc(size: int) -> tuple:
        address = machine.made("gpu", OWN_AT + len(machine.held) * (1 << 24))
        machine.held[address] = np.full(size, 0x5A, np.uint8)
        return Status.cudaSuccess, address

    def cudaFreeHost(address: int) -> tuple:
        machine.live.remove(("host", address))
        return (Status.cudaSuccess,)

    def cudaFree(address: int) -> tuple:
        machine.live.remove(("gpu", address))
        return (Status.cudaSuccess,)

    def cudaMemcpyAsync(target: int, source: int, size: int, kind: int, stream: int) -> tuple:
        to_gpu, from_gpu = target >= OWN_AT, source >= OWN_AT
        if (to_gpu, from_gpu) != (kind == 1, kind == 2):
            return (Status.cudaErrorInvalidValue,)
        into, out_of = machine.bytes_at(target, size), machine.bytes_at(source, size)
        machine.put(int(stream), "copy in" if to_gpu else "copy out", lambda: np.copyto(into, out_of))
        return (Status.cudaSuccess,)

    return [cudaGetDeviceProperties, cudaRuntimeGetVersion, cudaHostAlloc, cudaHostGetDevicePointer, cudaMalloc,
            cudaFreeHost, cudaFree, cudaMemcpyAsync]  # fmt: skip


def _stream_calls(machine: Machine) -> list[Callable[..., tuple]]:
    def cudaStreamCreateWithFlags(flags: int) -> tuple:
        stream = machine.made("stream")
        machine.waiting[stream], machine.recording[stream] = [], None
        return Status.cudaSuccess, stream

    def cudaStreamSynchronize(stream: int) -> tuple:
        work, machine.waiting[stream] = machine.waiting[stream], []
        for do in work:
            do()
        return (Status.cudaSuccess,)

    def cudaStreamDestroy(stream: int) -> tuple:
        machine.live.remove(("stream", stream))
        return (Status.cudaSuccess,)

    def cudaStreamBeginCapture(stream: int, mode: int) -> tuple:
        machine.recording[stream] = []
        return (Status.cudaSuccess,)

    def cudaStreamEndCapture(stream: int) -> tuple:
        recorded, machine.recording[stream] = machine.recording[stream], None
        if not machine.records:
            return Status.cudaErrorStreamCaptureInvalidated, None
        graph = machine.made("graph")
        machine.graphs[graph] = recorded or []
        return Status.cudaSuccess, graph

    return [cudaStreamCreateWithFlags, cudaStreamSynchronize, cudaStreamDestroy, cudaStreamBeginCapture,
            cudaStreamEndCapture]  # fmt: skip


def _graph_calls(machine: Machine) -> list[Callable[..., tuple]]:
    def cudaGraphInstantiate(graph: int, flags: int) -> tuple:
        launchable = machine.made("launchable")
        machine.graphs[launchable] = machine.graphs[graph]
        return Status.cudaSuccess, launchable

    def cudaGraphLaunch(launchable: int, stream: int) -> tuple:
        machine.waiting[stream] += machine.graphs[launchable]
        return (Status.cudaSuccess,)

    def cudaGraphDestroy(graph: int) -> tuple:
        machine.live.remove(("graph", graph))
        return (Status.cudaSuccess,)

    def cudaGraphExecDestroy(launchable: int) -> tuple:
        machine.live.remove(("launchable", launchable))
        return (Status.cudaSuccess,)

    return [cudaGraphInstantiate, cudaGraphLaunch, cudaGraphDestroy, cudaGraphExecDestroy]


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
