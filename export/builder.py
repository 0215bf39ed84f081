"""TensorRT engines, built on the device that flies them. Never yet run on one: written against the documented API.

One strongly typed network serves TensorRT 10 and 11, as precision is in the graph. Beside ``NAME.engine`` stands
``NAME.engine.json``: what it was built from and for, so that another device or graph is noticed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.device import Device
from runtime.errors import ExportError
from runtime.files import sha256_of, whole_file, write_text_whole
from runtime.model.bundle import ENCODER_FILES, Bundle

FORMAT = 1
ENGINES = "engines"
_OLDEST = 10  # the first with strongly typed networks from ONNX, Q/DQ and FP16 alike
_WORKSPACE_BYTES = 1 << 30  # an Orin Nano has 8 GB for everything


def tensorrt_or_none() -> Any | None:
    """The ``tensorrt`` module, None where it is not installed; raises ExportError for one that is too old."""
    try:
        import tensorrt
    except ImportError:
        return None
    if int(tensorrt.__version__.split(".")[0]) < _OLDEST:
        raise ExportError(
            f"TensorRT {tensorrt.__version__} is too old: {_OLDEST} or newer is needed, which JetPack 6.1 brings"
        )
    return tensorrt


def build_engine(trt: Any, bundle: Bundle, precision: str, *, batch: int, device: Device) -> Path:
    """Build ``engines/encoder.PRECISION.bN.engine`` with its sidecar; raises ExportError with TensorRT's reasons."""
    graph = bundle.file(ENCODER_FILES[precision])
    engine = bundle.path / ENGINES / f"encoder.{precision}.b{batch}.engine"
    log = _Log(trt)
    builder = trt.Builder(log.logger)
    network = _parse(trt, builder, log, graph)
    network.get_input(0).shape = (batch, bundle.side_px, bundle.side_px, 3)  # a fixed batch builds the faster engine
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    timings = engine.parent / f"timing-{_timing_key(trt, device)}.cache"
    held = timings.read_bytes() if timings.is_file() else b""
    config.set_timing_cache(config.create_timing_cache(held), ignore_mismatch=False)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise ExportError(f"TensorRT {trt.__version__} builds no engine of {graph.name}: {log.told()}")
    with whole_file(engine) as partial:
        partial.write_bytes(bytes(built))
    with whole_file(timings) as partial:
        partial.write_bytes(bytes(config.get_timing_cache().serialize()))
    sidecar = _sidecar(trt, bundle, precision, engine, batch=batch, device=device)
    write_text_whole(engine.with_name(f"{engine.name}.json"), json.dumps(sidecar, indent=2) + "\n")
    return engine


def _parse(trt: Any, builder: Any, log: _Log, graph: Path) -> Any:
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log.logger)
    if not parser.parse_from_file(str(graph)):
        errors = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise ExportError(f"TensorRT {trt.__version__} refuses {graph.name}: {errors or log.told()}")
    return network


class _Log:
    """Keeps what TensorRT says of errors: its builder returns None and no reason."""

    def __init__(self, trt: Any) -> None:
        lines: list[str] = []
        severe = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

        class Logger(trt.ILogger):  # type: ignore[misc]  # the base is only known on a device
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in severe:
                    lines.append(message)

        self._lines = lines
        self.logger = Logger()

    def told(self) -> str:
        return "; ".join(self._lines) or "it gives no reason"


def _timing_key(trt: Any, device: Device) -> str:
    """Kernel timings hold for one TensorRT on one GPU at one power mode."""
    text = f"{trt.__version__}|{device.compute_capability}|{device.power_mode}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sidecar(trt: Any, bundle: Bundle, precision: str, engine: Path, *, batch: int, device: Device) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "engine_sha256": sha256_of(engine),
        "onnx_sha256": bundle.sha256(ENCODER_FILES[precision]),
        "precision": precision,
        "batch": batch,
        "input": bundle.manifest["input"],
        "tensorrt": trt.__version__,
        "device": asdict(device),
        "gate": bundle.manifest.get("gates", {}).get(precision),
        "latency_ms": None,  # not measured yet
    }
