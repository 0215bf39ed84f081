"""Engines on the device: built, held against FP32 and timed, and the ones worth flying kept."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundles.reduced import held_out_pictures, make_fp16
from export.engines.builder import build_engine
from export.engines.device import Device
from export.graphs.parity import check_parity, embed
from export.int8.gates import MIN_MEAN_COSINE, MIN_WORST_COSINE
from export.options import ReducedPrecision
from runtime.errors import EngineError, GateError
from runtime.model.bundle import ENCODER_FILES, Bundle
from runtime.model.engine_trt import TrtEngine
from runtime.model.sidecar import batches_at_hand, engine_path, sidecar_path, write_sidecar
from runtime.model.trt import tensorrt_or_none

logger = logging.getLogger(__name__)

Clock = Callable[[], float]  # seconds
_ROUNDS, _CALLS, _WARMUP = 5, 40, 5  # in turn, so that a GPU that grows warm slows all alike


@dataclass(frozen=True, slots=True)
class Latency:
    """The time that one call of an engine takes as a frame meets it: bytes in, embedding out."""

    p50: float  # ms
    p99: float  # ms
    calls: int


def build_engines(path: Path, precision: ReducedPrecision, batch: int) -> Iterator[str]:
    """Build a bundle's engines where TensorRT is, and yield what to tell; elsewhere a line says what is missing.

    Raises ExportError, GateError, or EngineError where FP16 does not fly.
    """
    trt = tensorrt_or_none()
    if trt is None:
        name = ENCODER_FILES[precision]
        yield f"TensorRT 10 or newer is not installed here: no engine was built, {name} is ready for one"
        return
    device = Device.here()
    bundle = Bundle.open(path)
    if "fp16" not in bundle.precisions:
        make_fp16(bundle)
        bundle = Bundle.open(path)
    pictures = held_out_pictures(bundle) if precision == "int8" else None
    logger.info("TensorRT %s times its kernels, which takes minutes", trt.__version__)
    yield from build_and_keep(trt, bundle, pictures, batch=batch, device=device)
    flies = "int8" if batches_at_hand(bundle, "int8") else "fp16"
    yield f"Build maps in this precision: python -m runtime.tiles build --bundle {bundle.path} --precision {flies} ..."


def measure(
    engines: Mapping[ReducedPrecision, TrtEngine], *, clock: Clock = time.perf_counter
) -> dict[ReducedPrecision, Latency]:
    """Measure the latency of each engine at its batch, taken in turn."""
    taken: dict[ReducedPrecision, list[float]] = {precision: [] for precision in engines}
    for _ in range(_ROUNDS):
        for precision, engine in engines.items():
            pictures = np.zeros((engine.batch, engine.side_px, engine.side_px, 3), np.uint8)
            for call in range(_WARMUP + _CALLS):
                started = clock()
                engine.embed(pictures)
                if call >= _WARMUP:
                    taken[precision].append((clock() - started) * 1e3)
    return {
        precision: Latency(round(float(np.median(ms)), 3), round(float(np.percentile(ms, 99)), 3), len(ms))
        for precision, ms in taken.items()
    }


def check_engine(
    engine: TrtEngine,
    bundle: Bundle,
    pictures: NDArray[np.uint8],  # (N, S, S, 3), not calibrated on
) -> None:
    """Hold what the engine computes against FP32, as its graph was at export; raises GateError."""
    exact, got = embed(bundle.file(ENCODER_FILES["fp32"]), pictures), engine.embed(pictures)
    what = engine_path(bundle, engine.precision, engine.batch).name
    check_parity(exact, got, what=what, min_cosine=MIN_WORST_COSINE)
    mean = float((exact * got).sum(axis=1).mean())
    if not mean >= MIN_MEAN_COSINE:
        raise GateError(f"{what}: mean cosine {mean:.4f}, needs {MIN_MEAN_COSINE}")


def build_and_keep(
    trt: Any,
    bundle: Bundle,
    pictures: NDArray[np.uint8] | None,  # (N, S, S, 3), not calibrated on; None: FP16 alone
    *,
    batch: int,
    device: Device,
    clock: Clock = time.perf_counter,
) -> list[str]:
    """Build FP16, and INT8 too where there are ``pictures``; keep INT8 only if it is right and faster.

    Returns what to tell, a line an engine and the verdict last. Raises ExportError, or EngineError where FP16 does not
    fly.
    """
    wanted: tuple[ReducedPrecision, ...] = ("fp16",) if pictures is None else ("fp16", "int8")
    for precision in wanted:
        build_engine(trt, bundle, precision, batch=batch, device=device)
    refused = ""
    with ExitStack() as opened:
        engines: dict[ReducedPrecision, TrtEngine] = {"fp16": opened.enter_context(TrtEngine(bundle, "fp16", batch))}
        if pictures is not None:
            try:
                int8 = opened.enter_context(TrtEngine(bundle, "int8", batch))
                check_engine(int8, bundle, pictures)
                engines["int8"] = int8
            except (EngineError, GateError) as error:
                refused = str(error)
        latencies = measure(engines, clock=clock)
        lines = [_describe(engine, latencies[p], device) for p, engine in engines.items()]
    for precision, latency in latencies.items():
        _enter(engine_path(bundle, precision, batch), latency)
    return lines if pictures is None else [*lines, _verdict(bundle, batch, latencies, refused)]


def _verdict(bundle: Bundle, batch: int, latencies: Mapping[ReducedPrecision, Latency], refused: str) -> str:
    """Keep INT8 or remove it, and say why."""
    fp16, int8 = latencies["fp16"], latencies.get("int8")
    if int8 is not None and int8.p50 < fp16.p50:
        return f"INT8 is kept: {fp16.p50 / int8.p50:.2f} times as fast as FP16, and through its gate"
    engine = engine_path(bundle, "int8", batch)
    for path in (engine, sidecar_path(engine)):
        path.unlink()
    if int8 is None:
        return f"FP16 flies, and the INT8 engine was removed: {refused}"
    return f"FP16 flies, and the INT8 engine was removed: {int8.p50:.3f} ms against {fp16.p50:.3f} ms is no faster"


def _enter(engine: Path, latency: Latency) -> None:
    """Add to the sidecar how fast the engine is."""
    sidecar = json.loads(sidecar_path(engine).read_text(encoding="utf-8"))
    write_sidecar(engine, {**sidecar, "latency_ms": asdict(latency)})


def _describe(engine: TrtEngine, latency: Latency, device: Device) -> str:
    mode = f", power mode {device.power_mode}" if device.power_mode else ""
    return f"{engine.name}: {latency.p50:.3f} ms p50, {latency.p99:.3f} ms p99 of {latency.calls} calls{mode}"
