"""A GPU without a GPU: ``cuda.bindings.runtime`` as far as we use it.

Memory is bytes found by address, a stream does nothing until it is waited for, a recorded stream nothing at all until
its graph is launched. So a wrong address, a copy left out, or a result read too early gives wrong numbers or an error,
as on a GPU.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np

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
    """Make the part of cuda-python that we use: every call returns a tuple with its status first."""
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
