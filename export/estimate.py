"""``python -m export.estimate``: how fast a bundle's encoder might be on a Jetson. An estimate, not a measurement.

A roofline: every kernel takes as long as its arithmetic or its memory traffic, whichever is longer, and a launch,

    t = sum over kernels of max(2 MAC / (eta_c peak), bytes / (eta_m bandwidth)) + kernels * t_launch

with shares of the peak as kernels of such networks reach them: from 10% to 35% of the arithmetic, 60% to 80% of the
bandwidth, 6 to 2 us a launch. Williams et al., "Roofline", CACM 2009. What no roofline knows: depthwise convolutions
that leave tensor cores idle, clocks that fall when it is hot, and whatever else uses the memory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from export.cost import PRECISIONS, Cost, Kernel, cost_of
from export.needs import require
from runtime.command import run_command
from runtime.model.bundle import ENCODER_FILES, Bundle

LABEL = "estimate, not measured"
_SLOWEST = 8


@dataclass(frozen=True, slots=True)
class Board:
    """A Jetson's peaks at its highest power mode, dense; FP32 is CUDA cores', two operations a core and clock."""

    name: str
    int8: float  # 1e12 operations a second, two a multiply-accumulate
    fp16: float
    fp32: float
    gb_s: float  # of memory


@dataclass(frozen=True, slots=True)
class Reached:
    """The share of a board's peaks that kernels reach."""

    compute: float
    memory: float
    launch_us: float


BOARDS: Mapping[str, Board] = {
    "orin-nano": Board("Orin Nano 8GB", 20, 10, 1.3, 68),
    "orin-nano-super": Board("Orin Nano Super", 33, 17, 2.1, 102),
    "orin-nx": Board("Orin NX 16GB", 30, 15, 1.9, 102),
    "agx-orin": Board("AGX Orin 64GB", 85, 42, 5.3, 205),
    "thor": Board("AGX Thor", 517, 258, 8.1, 273),
}
WELL, BADLY = Reached(compute=0.35, memory=0.8, launch_us=2), Reached(compute=0.10, memory=0.6, launch_us=6)


def time_us(kernel: Kernel, cost: Cost, board: Board, precision: str, reached: Reached) -> float:
    """One kernel's microseconds; outside the backbone all is FP32."""
    peak = getattr(board, precision if kernel.in_body else "fp32")
    compute = 2 * kernel.macs / (reached.compute * peak * 1e6)
    memory = kernel.bytes_moved(cost.widths[precision]) / (reached.memory * board.gb_s * 1e3)
    return float(max(compute, memory) + reached.launch_us)


def range_ms(cost: Cost, board: Board, precision: str) -> tuple[float, float]:
    """A call's milliseconds when all goes well, and when it goes badly."""
    well, badly = (sum(time_us(k, cost, board, precision, r) for k in cost.kernels) / 1e3 for r in (WELL, BADLY))
    return well, badly


def main(argv: list[str] | None = None) -> int:
    """Print the estimate; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export.estimate",
        description="Estimate how long a bundle's encoder takes on a Jetson, from the arithmetic and the memory "
        "traffic of its graph: a range, never a measurement. What a board really does is in the sidecar that "
        "export.trt writes there.",
        epilog="boards: " + ", ".join(f"{key} ({board.name})" for key, board in BOARDS.items()) + "\n"
        "Example: python -m export.estimate edge.bundle --device orin-nano-super --precision int8\n"
        "         python -m export.estimate edge.bundle --all",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="NAME.bundle", help="from python -m export.onnx")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--device", choices=BOARDS, metavar="BOARD", help="one board, with its slowest kernels")
    which.add_argument("--all", action="store_true", help="all boards in all precisions, as a table")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp16", help="for --device (%(default)s)")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="pictures a call (%(default)s)")
    args = parser.parse_args(argv)
    if args.batch < 1:
        parser.error(f"--batch {args.batch} holds no picture: 1 is the least")
    return run_command("export.estimate", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    require("onnx", extra="export")
    from export.precision import load_graph

    bundle = Bundle.open(args.bundle)
    cost = cost_of(load_graph(bundle.file(ENCODER_FILES["fp32"])), args.batch)
    print(
        f"{bundle.name}: {bundle.manifest['encoder']['backbone']} at {bundle.side_px} px, batch {args.batch}, "
        f"{cost.macs / 1e9:.3f} GMAC, {len(cost.kernels)} kernels"
    )
    if args.all:
        _print_all(cost)
    else:
        _print_board(cost, BOARDS[args.device], args.precision)


def _print_all(cost: Cost) -> None:
    print(f"milliseconds a call ({LABEL})")
    print(f"{'':<18}" + "".join(f"{precision.upper():>16}" for precision in PRECISIONS))
    for board in BOARDS.values():
        ranges = (range_ms(cost, board, precision) for precision in PRECISIONS)
        print(f"{board.name:<18}" + "".join(f"{f'{well:.2f} - {badly:.2f}':>16}" for well, badly in ranges))


def _print_board(cost: Cost, board: Board, precision: str) -> None:
    well, badly = range_ms(cost, board, precision)
    moved = cost.bytes_moved(precision) / 1e6
    print(f"{board.name}, {precision.upper()}: {well:.2f} to {badly:.2f} ms a call, {moved:.1f} MB moved ({LABEL})")
    print(f"slowest kernels ({LABEL})")
    print(f"{'us':>14} {'MMAC':>8} {'kB':>8}  {'bound by':<8} kernel")
    by_time = sorted(cost.kernels, key=lambda k: time_us(k, cost, board, precision, BADLY), reverse=True)
    for kernel in by_time[:_SLOWEST]:
        times = [time_us(kernel, cost, board, precision, r) for r in (WELL, BADLY)]
        kilobytes = kernel.bytes_moved(cost.widths[precision]) / 1e3
        span = f"{times[0]:.1f} - {times[1]:.1f}"
        bound = _bound(kernel, cost, board, precision)
        print(f"{span:>14} {kernel.macs / 1e6:>8.1f} {kilobytes:>8.0f}  {bound:<8} {kernel.name}")


def _bound(kernel: Kernel, cost: Cost, board: Board, precision: str) -> str:
    """What a kernel waits for when it goes badly."""
    free = Kernel(kernel.name, kernel.op, kernel.in_body, 0, kernel.moved)
    alone = time_us(free, cost, board, precision, BADLY)  # its memory and launch
    if time_us(kernel, cost, board, precision, BADLY) > alone:
        return "compute"
    return "memory" if alone > 2 * BADLY.launch_us else "launch"


if __name__ == "__main__":
    sys.exit(main())
