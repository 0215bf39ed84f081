"""Memory that a GPU and a CPU share, on a machine whose GPU works only when somebody waits for it."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import numpy as np
import pytest

from runtime.errors import EngineError
from runtime.model.cuda import Gpu, SharedArray, call, cuda_runtime
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install

SHAPE = (2, 3)
NUMBERS = np.arange(6, dtype=np.float32).reshape(SHAPE)


def test_what_the_cpu_writes_reaches_a_gpu_with_memory_of_its_own_only_when_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(integrated=False)
    install(monkeypatch, machine)
    runtime = cuda_runtime()
    stream = call(runtime, "cudaStreamCreateWithFlags", 1)
    with ExitStack() as freed_by:
        array = SharedArray.allocate(runtime, SHAPE, np.float32, mapped=False, freed_by=freed_by)
        array.host[:] = NUMBERS
        on_gpu = machine.bytes_at(array.gpu_address, NUMBERS.nbytes).view(np.float32).reshape(SHAPE)
        assert (on_gpu != NUMBERS).any()
        array.send(stream)
        call(runtime, "cudaStreamSynchronize", stream)
        assert (on_gpu == NUMBERS).all()
        on_gpu *= 2
        array.fetch(stream)
        assert (array.host == NUMBERS).all(), "a copy is done only when somebody waits"
        call(runtime, "cudaStreamSynchronize", stream)
        assert (array.host == 2 * NUMBERS).all()
    assert {kind for kind, _ in machine.live} == {"stream"}


def test_a_gpu_that_shares_the_cpus_memory_sees_it_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(integrated=True)
    install(monkeypatch, machine)
    runtime = cuda_runtime()
    stream = call(runtime, "cudaStreamCreateWithFlags", 1)
    with ExitStack() as freed_by:
        array = SharedArray.allocate(runtime, SHAPE, np.float32, mapped=True, freed_by=freed_by)
        array.host[:] = NUMBERS
        assert (machine.bytes_at(array.gpu_address, NUMBERS.nbytes).view(np.float32) == NUMBERS.ravel()).all()
        array.send(stream)
        array.fetch(stream)
        assert "cudaMemcpyAsync" not in machine.calls and "cudaMalloc" not in machine.calls
    assert {kind for kind, _ in machine.live} == {"stream"}


def test_a_call_that_fails_is_told_by_cudas_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    install(monkeypatch, machine)
    machine.has_gpu = False
    with pytest.raises(EngineError, match="CUDA's cudaGetDeviceProperties fails: cudaErrorInsufficientDriver"):
        call(cuda_runtime(), "cudaGetDeviceProperties", 0)


class NoDriver:
    def cudaRuntimeGetVersion(self) -> tuple[int, int]:
        raise RuntimeError("Failed to dlopen libcuda.so.1")


def test_a_driver_that_is_missing_is_told_as_cuda_python_tells_it() -> None:
    with pytest.raises(EngineError, match=r"cudaRuntimeGetVersion fails: Failed to dlopen libcuda\.so\.1"):
        call(NoDriver(), "cudaRuntimeGetVersion")


@pytest.mark.parametrize("layout", ["cuda.bindings.runtime", "cuda.cudart"])
def test_the_gpu_is_described_as_far_as_an_engine_is_tied_to_it(monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    install(monkeypatch, Machine(name="Orin", multiprocessors=16, integrated=True), layout=layout)
    assert Gpu.here() == Gpu("Orin", "8.7", 16, True)


def test_there_is_no_gpu_without_a_driver_or_without_cuda_python(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    install(monkeypatch, machine)
    machine.has_gpu = False
    assert Gpu.here() is None
    for name in ("cuda.bindings.runtime", "cuda.cudart"):
        monkeypatch.setitem(sys.modules, name, None)
    assert cuda_runtime() is None and Gpu.here() is None
