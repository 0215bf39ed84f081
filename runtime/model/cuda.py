"""The few calls of CUDA's runtime that an engine needs, through cuda-python, and the GPU that they find."""

from __future__ import annotations

import ctypes
import importlib
import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from runtime.errors import EngineError

_LAYOUTS = ("cuda.bindings.runtime", "cuda.cudart")  # cuda-python of 12.x and 13.x; before


def cuda_runtime() -> Any | None:
    """Return cuda-python's module of the runtime calls; None where it is not installed."""
    for name in _LAYOUTS:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def call(runtime: Any, name: str, *args: Any) -> Any:
    """Return what a runtime call returns beside its status; raises EngineError with CUDA's name for what failed."""
    try:
        status, *made = getattr(runtime, name)(*args)
    except RuntimeError as error:  # cuda-python 12 where there is no driver
        raise EngineError(f"CUDA's {name} fails: {error}") from None
    if int(status) != 0:
        raise EngineError(f"CUDA's {name} fails: {status.name}")
    return made[0] if made else None


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as far as an engine is tied to it."""

    name: str
    compute_capability: str  # "8.7" is Orin
    multiprocessors: int  # tells an Orin Nano from an AGX Orin, both called "Orin"
    integrated: bool  # shares its memory with the CPU

    @classmethod
    def here(cls) -> Gpu | None:
        """Return the first GPU; None where there is none, or no cuda-python to ask."""
        runtime = cuda_runtime()
        try:
            properties = None if runtime is None else call(runtime, "cudaGetDeviceProperties", 0)
        except EngineError:
            return None
        if properties is None:
            return None
        name = properties.name.decode(errors="replace").rstrip("\0")
        capability = f"{properties.major}.{properties.minor}"
        return cls(name, capability, int(properties.multiProcessorCount), bool(properties.integrated))


@dataclass(frozen=True, slots=True)
class SharedArray:
    """An array that the CPU fills or reads, and its place for the GPU."""

    host: NDArray[Any]  # in page-locked memory
    gpu_address: int
    _runtime: Any
    _mapped: bool  # the GPU works in the host's memory; otherwise it has a twin in its own

    @classmethod
    def allocate(
        cls, runtime: Any, shape: tuple[int, ...], dtype: DTypeLike, *, mapped: bool, freed_by: ExitStack
    ) -> SharedArray:
        """Allocate page-locked memory, ``mapped`` or with a twin; raises EngineError."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        address = int(call(runtime, "cudaHostAlloc", size, runtime.cudaHostAllocMapped))
        freed_by.callback(call, runtime, "cudaFreeHost", address)
        if mapped:
            on_gpu = int(call(runtime, "cudaHostGetDevicePointer", address, 0))
        else:
            on_gpu = int(call(runtime, "cudaMalloc", size))
            freed_by.callback(call, runtime, "cudaFree", on_gpu)
        memory = (ctypes.c_uint8 * size).from_address(address)
        return cls(np.ctypeslib.as_array(memory).view(dtype).reshape(shape), on_gpu, runtime, mapped)

    def send(self, stream: Any) -> None:
        """Put the copy to the GPU on the stream, where one is needed."""
        self._copy(self.gpu_address, self.host.ctypes.data, "cudaMemcpyHostToDevice", stream)

    def fetch(self, stream: Any) -> None:
        """Put the copy from the GPU on the stream, where one is needed."""
        self._copy(self.host.ctypes.data, self.gpu_address, "cudaMemcpyDeviceToHost", stream)

    def _copy(self, target: int, source: int, kind: str, stream: Any) -> None:
        if not self._mapped:
            kinds = self._runtime.cudaMemcpyKind
            call(self._runtime, "cudaMemcpyAsync", target, source, self.host.nbytes, getattr(kinds, kind), stream)
