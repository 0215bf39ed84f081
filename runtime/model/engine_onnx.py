"""The encoder on ONNX Runtime: CUDA where it is there, else the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from runtime.errors import BundleError
from runtime.model.bundle import ENCODER_FILES, Bundle

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


def open_session(graph: Path, threads: int) -> ort.InferenceSession:
    """A session on the best provider at hand; raises BundleError when the runtime refuses the graph."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads  # 0: as many as there are cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads starve the camera and link threads beside us.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # On an x86 CPU without VNNI the fast kernels saturate their sums: an INT8 graph would give other embeddings.
    options.add_session_config_entry("session.x64quantprecision", "1")
    providers = [p for p in _PROVIDERS if p in ort.get_available_providers()]
    try:
        return ort.InferenceSession(str(graph), options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise BundleError(f"ONNX Runtime {ort.__version__} refuses {graph}: {error}") from error


class OnnxEngine:
    """An :class:`~runtime.model.engine.Engine` on ONNX Runtime."""

    def __init__(self, bundle: Bundle, precision: str | None = None, threads: int = 0) -> None:
        """``precision`` None takes FP32, or FP16 where the bundle has no FP32; raises BundleError."""
        floating = [p for p in bundle.precisions if p != "int8"]  # INT8 on a CPU is only right where its kernels are
        self.precision = precision or (floating or list(bundle.precisions) or ["fp32"])[0]
        if self.precision not in ENCODER_FILES:
            raise BundleError(f"precision {self.precision!r} is unknown; expected one of {', '.join(ENCODER_FILES)}")
        name = ENCODER_FILES[self.precision]
        self._session = open_session(bundle.file(name), threads)
        self.encoder_sha256 = bundle.sha256(name)
        self.side_px = bundle.side_px
        self.dim = bundle.dim
        provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.name = f"{bundle.name} {self.precision}, ONNX Runtime {ort.__version__} {provider}"

    def embed(
        self,
        pictures: NDArray[np.uint8],  # (B, side_px, side_px, 3) RGB
    ) -> NDArray[np.float32]:  # (B, D) unit-norm
        """Embeddings of a batch; raises ValueError on another shape or type."""
        expected = (self.side_px, self.side_px, 3)
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != expected:
            raise ValueError(f"pictures are {pictures.dtype} {pictures.shape}; expected uint8 (B, {expected})")
        embedding: NDArray[np.float32] = self._session.run(["embedding"], {"image": pictures})[0]
        return embedding
