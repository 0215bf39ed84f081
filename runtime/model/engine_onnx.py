"""The encoder on ONNX Runtime: TensorRT or CUDA where it offers them, else the CPU."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from runtime.errors import BundleError, EngineError
from runtime.model.bundle import ENCODER_FILES, Bundle
from runtime.model.engine import check_pictures
from runtime.model.golden import check_golden, has_golden
from runtime.model.manifest import Precision, as_precision

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_TENSORRT = "TensorrtExecutionProvider"
MOST = 16  # pictures a run: TensorRT's provider builds for a range of batches, and memory has an end


def open_session(
    graph: Path, threads: int, *, entries: Mapping[str, str] | None = None, tensorrt: Mapping[str, str] | None = None
) -> ort.InferenceSession:
    """Return a session on the best provider at hand; raises BundleError when the runtime refuses the graph.

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
        # It prints when a provider's libraries are missing, and fixes go to stdout.
        with contextlib.redirect_stdout(sys.stderr):
            session = ort.InferenceSession(str(graph), options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise BundleError(f"ONNX Runtime {ort.__version__} refuses {graph}: {error}") from error
    session.disable_fallback()  # in flight an error is an error, not another provider
    return session


@dataclass(frozen=True, slots=True)
class _Kernels:
    """One way for ONNX Runtime to compute a graph."""

    label: str  # what the engine's name adds, where the CPU computes
    entries: Mapping[str, str]  # session options


_AS_THEY_COME = _Kernels("", {})
_INTEGER = _Kernels(" (integer kernels)", {"session.x64quantprecision": "0"})
_AS_WRITTEN = _Kernels(" (as written, no integer kernels)", {"session.disable_quant_qdq": "1"})


@dataclass(frozen=True, slots=True)
class _Started:
    """A session that passed its self-check."""

    session: ort.InferenceSession
    provider: str
    name: str


class OnnxEngine:
    """An :class:`~runtime.model.engine.Engine` on ONNX Runtime."""

    def __init__(self, bundle: Bundle, precision: str | None = None, threads: int = 0) -> None:
        """Start a session; raises BundleError.

        ``precision`` None takes FP32, or FP16 where the bundle has no FP32. An INT8 graph runs on integer kernels where
        they pass the self-check. On an x86 CPU without VNNI they saturate their sums, and every embedding would be
        another one: there it is computed as it is written.
        """
        self.precision: Precision = as_precision(precision or _usual_precision(bundle))
        graph = bundle.file(ENCODER_FILES[self.precision])
        self.encoder_sha256 = bundle.sha256(graph.name)
        if not _on_gpu():
            graph = bundle.file(bundle.graph_on_cpu(self.precision))
        self.side_px, self.dim = bundle.side_px, bundle.dim
        started = _start(bundle, graph, self.precision, threads)
        self._session, self.provider, self.name = started.session, started.provider, started.name

    def embed(
        self,
        pictures: NDArray[np.uint8],  # (B, side_px, side_px, 3) RGB
    ) -> NDArray[np.float32]:  # (B, D) unit-norm
        """Return the embeddings of a batch; raises ValueError on another shape or type."""
        check_pictures(pictures, self.side_px)
        return _run(self._session, pictures)


def _usual_precision(bundle: Bundle) -> Precision:
    """Return FP32 where the bundle has it, else FP16, else INT8."""
    return next(iter(bundle.precisions), "fp32")


def _start(bundle: Bundle, graph: Path, precision: Precision, threads: int) -> _Started:
    """Start the first session that computes what was exported; raises BundleError, or EngineError of the last one."""
    *others, last = _kernels_of(bundle, precision)
    for kernels in others:
        with contextlib.suppress(EngineError):
            return _start_with(kernels, bundle, graph, precision, threads)
    return _start_with(last, bundle, graph, precision, threads)


def _kernels_of(bundle: Bundle, precision: Precision) -> list[_Kernels]:
    """Return what to try, the fastest first; integer kernels only where a self-check can tell that they are right."""
    if precision != "int8":
        return [_AS_THEY_COME]
    return [_INTEGER, _AS_WRITTEN] if has_golden(bundle, "int8") else [_AS_WRITTEN]


def _start_with(kernels: _Kernels, bundle: Bundle, graph: Path, precision: Precision, threads: int) -> _Started:
    """Start a session and check what it computes; raises BundleError or EngineError."""
    tensorrt = _tensorrt_options(bundle.sha256(ENCODER_FILES[precision]), precision, bundle.side_px)
    session = open_session(graph, threads, entries=kernels.entries, tensorrt=tensorrt)
    provider = session.get_providers()[0].removesuffix("ExecutionProvider")
    label = kernels.label if provider == "CPU" else ""
    name = f"{bundle.name} {precision}, ONNX Runtime {ort.__version__} {provider}{label}"
    checked = check_golden(lambda pictures: _run(session, pictures), bundle, precision, name)
    return _Started(session, provider, f"{name}, {checked}")


def _run(
    session: ort.InferenceSession,
    pictures: NDArray[np.uint8],  # (B, S, S, 3)
) -> NDArray[np.float32]:  # (B, D)
    starts = range(0, max(len(pictures), 1), MOST)
    parts: list[NDArray[np.float32]] = [
        session.run(["embedding"], {"image": pictures[i : i + MOST]})[0] for i in starts
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _tensorrt_options(sha256: str, precision: Precision, side_px: int) -> dict[str, str]:
    """Return the options of ONNX Runtime's TensorRT provider.

    It builds for minutes and keeps what it built: in a folder a graph, as its own key knows no weights.
    """
    kept = cache_home() / "onnxruntime" / f"{sha256[:12]}-{ort.__version__}"
    return {
        "trt_fp16_enable": str(precision != "fp32"),
        "trt_int8_enable": str(precision == "int8"),
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(kept),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(kept),
        "trt_profile_min_shapes": f"image:1x{side_px}x{side_px}x3",
        "trt_profile_opt_shapes": f"image:1x{side_px}x{side_px}x3",
        "trt_profile_max_shapes": f"image:{MOST}x{side_px}x{side_px}x3",
    }


def _on_gpu() -> bool:
    """Tell whether a provider of NVIDIA's is offered, which takes the graph as it is for TensorRT."""
    return any(provider in ort.get_available_providers() for provider in (_TENSORRT, _PROVIDERS[0]))


def cache_home() -> Path:
    """Return the folder for what can be made again, of this user (the XDG base directory specification)."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "skyfix"
