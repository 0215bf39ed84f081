"""A roofline: every kernel takes as long as its arithmetic or its memory traffic, whichever is longer, and a launch,

    t = sum over kernels of max(2 MAC / (eta_c peak), bytes / (eta_m bandwidth)) + kernels * t_launch

with shares of the peak as kernels of such networks reach them: from 10% to 35% of the arithmetic, 60% to 80% of the
bandwidth, 6 to 2 us a launch. Williams et al., "Roofline", CACM 2009. What no roofline knows: depthwise convolutions
that leave tensor cores idle, clocks that fall when it is hot, and whatever else uses the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from export.estimates.cost import Cost, Kernel, cost_of
from export.estimates.jetsons import ESTIMATED_PRECISIONS, MODULES, JetsonModule
from export.graphs.precision import load_graph
from runtime.model.bundle import ENCODER_FILES, Bundle
from runtime.model.manifest import Precision

LABEL = "estimate, not measured"
_SLOWEST = 8
Bound: TypeAlias = Literal["compute", "memory", "launch"]


@dataclass(frozen=True, slots=True)
class Reached:
    """The share of a module's peaks that kernels reach."""

    compute: float
    memory: float
    launch_us: float


WELL, BADLY = Reached(compute=0.35, memory=0.8, launch_us=2), Reached(compute=0.10, memory=0.6, launch_us=6)


@dataclass(frozen=True, slots=True)
class EstimateRequest:
    """An estimate that ``python -m export.estimate`` is asked for."""

    bundle: Path
    device: str | None = None  # a key of MODULES; None tabulates all of them
    precision: Precision = "fp16"  # for a device
    batch: int = 1


def estimate(request: EstimateRequest) -> list[str]:
    """Return the estimate, line by line; raises BundleError or ExportError."""
    bundle = Bundle.open(request.bundle)
    cost = cost_of(load_graph(bundle.file(ENCODER_FILES["fp32"])), request.batch)
    head = (
        f"{bundle.name}: {bundle.encoder.backbone} at {bundle.side_px} px, batch {request.batch}, "
        f"{cost.macs / 1e9:.3f} GMAC, {len(cost.kernels)} kernels"
    )
    if request.device is None:
        return [head, *_table(cost)]
    return [head, *_kernels(cost, MODULES[request.device], request.precision)]


def time_us(kernel: Kernel, cost: Cost, module: JetsonModule, precision: Precision, reached: Reached) -> float:
    """Return one kernel's microseconds; outside the backbone all is FP32."""
    peak = module.tops(precision if kernel.in_body else "fp32")
    compute = 2 * kernel.macs / (reached.compute * peak * 1e6)
    memory = kernel.bytes_moved(cost.widths[precision]) / (reached.memory * module.memory_gb_s * 1e3)
    return float(max(compute, memory) + reached.launch_us)


def range_ms(cost: Cost, module: JetsonModule, precision: Precision) -> tuple[float, float]:
    """Return a call's milliseconds when all goes well, and when it goes badly."""
    well, badly = (sum(time_us(k, cost, module, precision, r) for k in cost.kernels) / 1e3 for r in (WELL, BADLY))
    return well, badly


def bound_by(kernel: Kernel, cost: Cost, module: JetsonModule, precision: Precision) -> Bound:
    """Tell what a kernel waits for when it goes badly."""
    alone = time_us(replace(kernel, macs=0), cost, module, precision, BADLY)  # its memory and launch
    if time_us(kernel, cost, module, precision, BADLY) > alone:
        return "compute"
    return "memory" if alone > 2 * BADLY.launch_us else "launch"


def _table(cost: Cost) -> list[str]:
    """Return all modules in all precisions, a line each."""
    lines = [f"milliseconds a call ({LABEL})"]
    lines.append(f"{'':<18}" + "".join(f"{precision.upper():>16}" for precision in ESTIMATED_PRECISIONS))
    for module in MODULES.values():
        ranges = (range_ms(cost, module, precision) for precision in ESTIMATED_PRECISIONS)
        lines.append(f"{module.name:<18}" + "".join(f"{f'{well:.2f} - {badly:.2f}':>16}" for well, badly in ranges))
    return lines


def _kernels(cost: Cost, module: JetsonModule, precision: Precision) -> Sequence[str]:
    """Return one module's estimate with its slowest kernels, a line each."""
    well, badly = range_ms(cost, module, precision)
    moved = cost.bytes_moved(precision) / 1e6
    lines = [
        f"{module.name}, {precision.upper()}: {well:.2f} to {badly:.2f} ms a call, {moved:.1f} MB moved ({LABEL})",
        f"slowest kernels ({LABEL})",
        f"{'us':>14} {'MMAC':>8} {'kB':>8}  {'bound by':<8} kernel",
    ]
    by_time = sorted(cost.kernels, key=lambda k: time_us(k, cost, module, precision, BADLY), reverse=True)
    for kernel in by_time[:_SLOWEST]:
        well_us, badly_us = (time_us(kernel, cost, module, precision, reached) for reached in (WELL, BADLY))
        kilobytes = kernel.bytes_moved(cost.widths[precision]) / 1e3
        span = f"{well_us:.1f} - {badly_us:.1f}"
        bound = bound_by(kernel, cost, module, precision)
        lines.append(f"{span:>14} {kernel.macs / 1e6:>8.1f} {kilobytes:>8.0f}  {bound:<8} {kernel.name}")
    return lines
