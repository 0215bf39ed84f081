"""TensorRT engines, built on the device that flies them. Never yet run on one: written against the documented API.

One strongly typed network serves TensorRT 10 and 11, as precision is in the graph. Beside the engine stands its
sidecar (``runtime.model.sidecar``), so that another device or graph is noticed.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.engines.device import Device
from runtime.errors import ExportError
from runtime.files import sha256_of, whole_file
from runtime.model.bundle import ENCODER_FILES, Bundle
from runtime.model.manifest import JsonObject, Precision
from runtime.model.sidecar import engine_path, must_hold, sidecar_path, write_sidecar
from runtime.model.trt import TrtLog

_WORKSPACE_BYTES = 1 << 30  # an Orin Nano has 8 GB for everything


def build_engine(trt: Any, bundle: Bundle, precision: Precision, *, batch: int, device: Device) -> Path:
    """Build ``engines/encoder.PRECISION.bN.engine`` with its sidecar; raises ExportError with TensorRT's reasons."""
    if device.gpu is None:
        raise ExportError("no GPU is told of here, and an engine belongs to one: pip install cuda-python")
    graph, engine = bundle.file(ENCODER_FILES[precision]), engine_path(bundle, precision, batch)
    log = TrtLog(trt)
    builder = trt.Builder(log.logger)
    network = _parse(trt, builder, log, graph)
    network.get_input(0).shape = (batch, bundle.side_px, bundle.side_px, 3)  # a fixed batch builds the faster engine
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    timings = engine.parent / f"timing-{_timing_key(trt, device)}.cache"
    _give_timings(config, timings)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise ExportError(f"TensorRT {trt.__version__} builds no engine of {graph.name}: {log.describe()}")
    sidecar_path(engine).unlink(missing_ok=True)  # never an engine beside the sidecar of another
    with whole_file(engine) as partial:
        partial.write_bytes(bytes(built))
    with whole_file(timings) as partial:
        partial.write_bytes(bytes(config.get_timing_cache().serialize()))
    binding = must_hold(
        bundle, precision, batch, engine_sha256=sha256_of(engine), tensorrt=trt.__version__, gpu=device.gpu
    )
    write_sidecar(engine, {**binding, **_about(bundle, precision, device)})
    return engine


def _parse(trt: Any, builder: Any, log: TrtLog, graph: Path) -> Any:
    """Read a graph into a strongly typed network; raises ExportError with all that the parser says."""
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log.logger)
    if not parser.parse_from_file(str(graph)):
        errors = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise ExportError(f"TensorRT {trt.__version__} refuses {graph.name}: {errors or log.describe()}")
    return network


def _give_timings(config: Any, timings: Path) -> None:
    """Give the kernel timings of earlier builds here; none where there are none, or TensorRT does not take them."""
    held = timings.read_bytes() if timings.is_file() else b""
    if not config.set_timing_cache(config.create_timing_cache(held), ignore_mismatch=False):
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def _timing_key(trt: Any, device: Device) -> str:
    """Return a key for what kernel timings hold for: one TensorRT on one GPU at one power mode."""
    text = f"{trt.__version__}|{device.gpu}|{device.power_mode}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _about(bundle: Bundle, precision: Precision, device: Device) -> JsonObject:
    """Return what a sidecar tells people."""
    machine = {key: value for key, value in asdict(device).items() if key != "gpu"}
    # The latency is measured once the engine runs: export.engines.selection.
    about = {"device": machine, "gate": bundle.manifest.gate(precision), "latency_ms": None}
    if precision != "int8":
        return about
    return {**about, "calibration_sha256": bundle.manifest.calibration_sha256}
