"""The encoder on a TensorRT engine that ``export.trt`` built on this device. Never yet run on a Jetson.

An engine is for one thread at a time: its stream and its two buffers are its own, and each call fills them anew.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import EngineError
from runtime.model.bundle import ENCODER_FILES, Bundle
from runtime.model.cuda import Gpu, SharedArray, call, cuda_runtime
from runtime.model.engine import check_pictures
from runtime.model.golden import check_golden
from runtime.model.manifest import Precision
from runtime.model.sidecar import engine_path, read_sidecar, rebuild_command
from runtime.model.trt import TrtLog, tensorrt_or_none


class TrtEngine:
    """An :class:`~runtime.model.engine.Engine` on TensorRT; as a context manager it frees what it holds of the GPU."""

    def __init__(self, bundle: Bundle, precision: Precision, batch: int = 1) -> None:
        """Load, record and check the engine; raises EngineError.

        It is refused where it is of another graph, TensorRT or GPU, or computes something else.
        """
        trt, self._runtime, gpu = _platform()
        read_sidecar(bundle, precision, batch, tensorrt=trt.__version__, gpu=gpu)
        self.precision: Precision = precision
        self.batch, self.side_px, self.dim = batch, bundle.side_px, bundle.dim
        self.encoder_sha256 = bundle.sha256(ENCODER_FILES[precision])
        self.name = f"{bundle.name} {precision}, TensorRT {trt.__version__} on {gpu.name}"
        self._log = TrtLog(trt)
        self._context: Any = None
        self._graph: Any = None
        self._freed = ExitStack()
        self._lock = threading.Lock()
        try:
            path = engine_path(bundle, precision, batch)
            engine = self._deserialize(trt, path, rebuild_command(bundle, precision, batch))
            self._stream = self._new_stream()
            self._context = self._start(engine, path)
            pictures, embeddings = (batch, self.side_px, self.side_px, 3), (batch, self.dim)
            self._image = self._bind(engine, "image", pictures, np.uint8, mapped=gpu.integrated)
            self._embedding = self._bind(engine, "embedding", embeddings, np.float32, mapped=gpu.integrated)
            self._graph = self._record()
            checked = check_golden(self.embed, bundle, precision, self.name)
        except BaseException:
            self.close()
            raise
        self.name += f", {'CUDA graph' if self._graph else 'no CUDA graph'}, {checked}"

    def embed(
        self,
        pictures: NDArray[np.uint8],  # (B, side_px, side_px, 3) RGB
    ) -> NDArray[np.float32]:  # (B, D) unit-norm
        """Return the embeddings of any number of pictures, ``batch`` at a time; raises ValueError or EngineError."""
        check_pictures(pictures, self.side_px)
        if self._context is None:
            raise EngineError(f"{self.name} was closed")
        embeddings = np.empty((len(pictures), self.dim), np.float32)
        with self._lock:  # one input and one output in the GPU's memory
            for start in range(0, len(pictures), self.batch):
                some = pictures[start : start + self.batch]
                self._image.host[: len(some)] = some  # a short last batch leaves older pictures in the rest: not read
                self._run()
                embeddings[start : start + len(some)] = self._embedding.host[: len(some)]
        return embeddings

    def close(self) -> None:
        """Free what it holds of the GPU; a second call does nothing."""
        self._context = None  # before the memory that it points to
        self._freed.close()

    def __enter__(self) -> TrtEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _deserialize(self, trt: Any, path: Path, rebuild: str) -> Any:
        engine = trt.Runtime(self._log.logger).deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise EngineError(
                f"TensorRT {trt.__version__} refuses {path}: {self._log.describe()}; build it again: {rebuild}"
            )
        return engine

    def _new_stream(self) -> Any:
        stream = call(self._runtime, "cudaStreamCreateWithFlags", self._runtime.cudaStreamNonBlocking)
        self._freed.callback(call, self._runtime, "cudaStreamDestroy", stream)
        return stream

    def _start(self, engine: Any, path: Path) -> Any:
        """Return the engine's execution context; raises EngineError."""
        context = engine.create_execution_context()
        if context is None:
            raise EngineError(f"TensorRT cannot start {path}: {self._log.describe()}")
        return context

    def _bind(
        self, engine: Any, name: str, shape: tuple[int, ...], dtype: type[np.generic], *, mapped: bool
    ) -> SharedArray:
        """Give one tensor of the network its memory; raises EngineError."""
        stated = tuple(engine.get_tensor_shape(name))
        if stated != shape:
            raise EngineError(f"{self.name}: its {name} has shape {stated}, expected {shape}; export the bundle again")
        array = SharedArray.allocate(self._runtime, shape, dtype, mapped=mapped, freed_by=self._freed)
        if not self._context.set_tensor_address(name, array.gpu_address):
            raise EngineError(f"{self.name} takes no memory for {name}: {self._log.describe()}")
        return array

    def _record(self) -> Any | None:
        """Call once to warm up, then record a call as a CUDA graph: a launch in place of a hundred.

        Returns None where nothing can be recorded: the engine is slower then, and its name says so.
        """
        self._run()
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        call(self._runtime, "cudaStreamBeginCapture", self._stream, mode)
        try:
            try:
                self._enqueue()
            finally:  # a stream that is left recording never runs again
                graph = call(self._runtime, "cudaStreamEndCapture", self._stream)
            launchable = call(self._runtime, "cudaGraphInstantiate", graph, 0)
        except EngineError:
            return None
        self._freed.callback(call, self._runtime, "cudaGraphExecDestroy", launchable)
        call(self._runtime, "cudaGraphDestroy", graph)
        return launchable

    def _run(self) -> None:
        """Run once over the memory as it is, and wait for the end."""
        if self._graph is None:
            self._enqueue()
        else:
            call(self._runtime, "cudaGraphLaunch", self._graph, self._stream)
        call(self._runtime, "cudaStreamSynchronize", self._stream)

    def _enqueue(self) -> None:
        self._image.send(self._stream)
        if not self._context.execute_async_v3(int(self._stream)):
            raise EngineError(f"{self.name} does not run: {self._log.describe()}")
        self._embedding.fetch(self._stream)


def _platform() -> tuple[Any, Any, Gpu]:
    """Return TensorRT, CUDA's runtime calls and the GPU; raises EngineError for the first that is missing."""
    trt = tensorrt_or_none()
    if trt is None:
        raise EngineError(
            "TensorRT is not installed here; JetPack brings it, for a virtual environment with --system-site-packages"
        )
    runtime = cuda_runtime()
    if runtime is None:
        raise EngineError("cuda-python is not installed, which TensorRT engines need: pip install cuda-python")
    gpu = Gpu.here()
    if gpu is None:
        raise EngineError("CUDA finds no GPU here, which a TensorRT engine needs")
    return trt, runtime, gpu
