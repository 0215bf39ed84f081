"""The encoder on ONNX Runtime: TensorRT or CUDA where it offers them, else the CPU."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from runtime.errors import BundleError, EngineError
from runtime.model.bundle import ENCODER_FILES, Bundle
from runtime.model.engine import check_pictures
from runtime.model.golden import check_golden, has_golden

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_TENSORRT = "TensorrtExecutionProvider"
MOST = 16  # pictures a run: TensorRT's provider builds for a range of batches, and memory has an end


def open_session(
    graph: Path, threads: int, *, entries: Mapping[str, str] | None = None, tensorrt: Mapping[str, str] | None = None
) -> ort.InferenceSession:
    """A session on the best provider at hand; raises BundleError when the runtime refuses the graph.

    ``entries`` are session options; ``tensorrt`` the options of ONNX Runtime's TensorRT provider, None to leave it out.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads  # 0: as many as there are cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads starve the camera and link threads beside us.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for key, value in (entries or {}).items():
        options.add_session_config_entry(key, value)
    offered = ort.get_available_providers()
    providers: list[Any] = [p for p in _PROVIDERS if p in offered]
    if tensorrt is not None and _TENSORRT in offered:
        providers.insert(0, (_TENSORRT, dict(tensorrt)))
    try:
        with contextlib.redirect_stdout(
            sys.stderr
        ):  # it prints when a provider's libraries are missing; fixes go there
            session = ort.InferenceSession(str(graph), options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise BundleError(f"ONNX Runtime {ort.__version__} refuses {graph}: {error}") from error
    session.disable_fallback()  # in flight an error is an error, not another provider
    return session


class OnnxEngine:
    """An :class:`~runtime.model.engine.Engine` on ONNX Runtime."""

    def __init__(self, bundle: Bundle, precision: str | None = None, threads: int = 0) -> None:
        """``precision`` None takes FP32, or FP16 where the bundle has no FP32; raises BundleError.

        An INT8 graph runs on integer kernels where they pass the self-check. On an x86 CPU without VNNI they saturate
        their sums, and every embedding would be another one: there it is computed as it is written.
        """
        floating = [p for p in bundle.precisions if p != "int8"]
        self.precision = precision or (floating or list(bundle.precisions) or ["fp32"])[0]
        if self.precision not in ENCODER_FILES:
            raise BundleError(f"precision {self.precision!r} is unknown; expected one of {', '.join(ENCODER_FILES)}")
        graph = bundle.file(ENCODER_FILES[self.precision])
        self.encoder_sha256 = bundle.sha256(graph.name)
        if not _on_gpu():
            graph = bundle.file(bundle.graph_on_cpu(self.precision))
        self.side_px, self.dim = bundle.side_px, bundle.dim
        if self.precision != "int8":
            self._open(bundle, graph, threads, "", {})
            return
        if has_golden(bundle, "int8"):
            with contextlib.suppress(EngineError):
                self._open(bundle, graph, threads, " (integer kernels)", {"session.x64quantprecision": "0"})
                return
        self._open(bundle, graph, threads, " (as written, no integer kernels)", {"session.disable_quant_qdq": "1"})

    def embed(
        self,
        pictures: NDArray[np.uint8],  # (B, side_px, side_px, 3) RGB
    ) -> NDArray[np.float32]:  # (B, D) unit-norm
        """Embeddings of a batch; raises ValueError on another shape or type."""
        check_pictures(pictures, self.side_px)
        starts = range(0, max(len(pictures), 1), MOST)
        parts = [self._session.run(["embedding"], {"image": pictures[i : i + MOST]})[0] for i in starts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _open(self, bundle: Bundle, graph: Path, threads: int, kernels: str, entries: Mapping[str, str]) -> None:
        """Start a session and check what it computes; raises BundleError."""
        self._session = open_session(graph, threads, entries=entries, tensorrt=self._tensorrt_options())
        self.provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        how = kernels if self.provider == "CPU" else ""
        name = f"{bundle.name} {self.precision}, ONNX Runtime {ort.__version__} {self.provider}{how}"
        self.name = f"{name}, {check_golden(self.embed, bundle, self.precision, name)}"

    def _tensorrt_options(self) -> dict[str, str]:
        """Its TensorRT provider builds for minutes and keeps that: in a folder a graph, as its key knows no weights."""
        kept = cache_home() / "onnxruntime" / f"{self.encoder_sha256[:12]}-{ort.__version__}"
        side = self.side_px
        return {
            "trt_fp16_enable": str(self.precision != "fp32"),
            "trt_int8_enable": str(self.precision == "int8"),
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(kept),
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": str(kept),
            "trt_profile_min_shapes": f"image:1x{side}x{side}x3",
            "trt_profile_opt_shapes": f"image:1x{side}x{side}x3",
            "trt_profile_max_shapes": f"image:{MOST}x{side}x{side}x3",
        }


def _on_gpu() -> bool:
    """Whether a provider of NVIDIA's is offered, which takes the graph as it is for TensorRT."""
    return any(provider in ort.get_available_providers() for provider in (_TENSORRT, _PROVIDERS[0]))


def cache_home() -> Path:
    """Where what can be made again is kept for this user (the XDG base directory specification)."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "skyfix"
