"""Video in real time through the daemon, listened to from outside: how old positions are, and how steady."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from daemon_ears import Ears
from daemon_recording import FPS, PERIOD_US, config_text, free_ports, resident_mb, write_recording
from daemon_vehicle import BEGAN, FlyingVehicle
from numpy.typing import ArrayLike

from runtime.pictures import read_picture

ROOT = Path(__file__).parents[1]
STEADY_US = 245_000
"""The longest gap that ArduPilot's driver takes for healthy."""


@dataclass(frozen=True, slots=True)
class Flown:
    """How a run of the daemon went."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    came_to: str  # its last line
    report: str  # of its standard output


def stream(flight: Path, tiles: Path, folder: Path, *, minutes: float, threads: int, is_captured: bool) -> None:
    """Fly a video and print what came out of the links."""
    rows = round(minutes * 60 * FPS)
    recording = write_recording(flight, folder / "recording", rows)
    ports, config = free_ports(), folder / "skyfix.toml"
    config.write_text(config_text(recording, tiles, ports, threads=threads, is_told=is_captured))
    vehicle = FlyingVehicle(recording, ports.telemetry, folder / BEGAN)
    with Ears(ports) as ears, vehicle if is_captured else contextlib.nullcontext():
        flown = run(config, is_captured=is_captured)
    lines = [json.loads(line) for line in (folder / "fixes.jsonl").read_text().splitlines()]
    path = "capture process" if is_captured else "recording"
    print(f"stream, {path}: {rows} frames in {flown.wall_s:.0f} s, load average {os.getloadavg()[0]:.1f}")
    print(f"  {flown.came_to}")
    print(f"  processor {flown.cpu_s / flown.wall_s:.2f} cores, memory at most {flown.peak_mb:.0f} MB")
    _print_ages(ears.messages("GLOBAL_POSITION_SENSOR"), lines, reading_ms(recording))
    _print_gaps([at_us for at_us, _ in ears.messages("GPS_INPUT")], ears.no_fix_us())
    bytes_of = {name: sum(len(data) for _, data in ear.heard) for name, ear in
                (("mavlink", ears.mavlink), ("nmea", ears.nmea), ("msp", ears.msp))}  # fmt: skip
    print("  heard: " + ", ".join(f"{name} {count} bytes" for name, count in bytes_of.items()))
    if flown.report:
        print(flown.report.rstrip())


def run(config: Path, *, is_captured: bool) -> Flown:
    """Fly to the end of the recording: the daemon itself, or the one that counts the processor's time."""
    program = ["-m", "runtime.daemon", "--config", str(config)]
    if is_captured:
        program = [str(ROOT / "benchmarks/daemon_share.py"), str(config)]
    began_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, *program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        peak_mb, out, err = 0.0, "", ""
        while process.poll() is None:
            peak_mb = max(peak_mb, resident_mb(process.pid))
            try:
                out, err = process.communicate(timeout=1.0)
            except subprocess.TimeoutExpired:
                continue
    if process.returncode:
        raise SystemExit(err)
    used = os.times()
    return Flown(time.monotonic() - began_s, used.children_user + used.children_system, peak_mb,
                 err.splitlines()[-1], out)  # fmt: skip


def reading_ms(recording: Path, count: int = 100) -> float:
    """Return what it takes to read one of the recording's pictures, the median."""
    took_s = []
    for path in sorted((recording / "frames").iterdir())[:count]:
        began_s = time.perf_counter()
        read_picture(path)
        took_s.append(time.perf_counter() - began_s)
    return float(np.median(took_s)) * 1e3


def _print_ages(heard: list[tuple[int, Any]], lines: list[dict[str, Any]], read_ms: float) -> None:
    """Print how old each position was when it left and when it came, beside what its frame took."""
    exposed_us = np.array([one.time_usec - one.processing_time for _, one in heard])
    sent_ms = np.array([one.processing_time for _, one in heard]) * 1e-3
    came_ms = (np.array([at_us for at_us, _ in heard]) - exposed_us) * 1e-3
    print(f"  positions {len(heard)}: age when sent {quantiles(sent_ms)}; when heard {quantiles(came_ms)}")
    took_ms = {line["t_us"]: line["latency_ms"] for line in lines if "latency_ms" in line}
    matched = _latencies(exposed_us, took_ms)
    known = ~np.isnan(matched)
    beyond_ms = sent_ms[known] - matched[known]
    limit_ms = PERIOD_US * 1e-3
    print(f"    its frame took {quantiles(matched[known])}; the rest of the age {quantiles(beyond_ms)}")
    print(f"    of which its picture was read in {read_ms:.1f} ms (p50), which is its own time too: without it "
          f"{quantiles(beyond_ms - read_ms)}, at most a frame's period ({limit_ms:.1f} ms) "
          f"{np.mean(beyond_ms - read_ms <= limit_ms):.2%}")  # fmt: skip


def _latencies(exposed_us: np.ndarray[Any, Any], took_ms: dict[int, float]) -> np.ndarray[Any, Any]:
    """Return what each position's frame took; the recording's clock is the other's but for one offset."""
    times_us = np.array(sorted(took_ms))
    offsets = np.concatenate([exposed - times_us[:40] for exposed in exposed_us[:40]])
    rounded, counts = np.unique(np.round(offsets, -2), return_counts=True)
    offset_us = offsets[np.abs(offsets - rounded[counts.argmax()]) <= 100][0]
    at = np.searchsorted(times_us, exposed_us - offset_us - PERIOD_US // 2).clip(0, len(times_us) - 1)
    close = np.abs(times_us[at] + offset_us - exposed_us) < PERIOD_US // 2
    return np.where(close, [took_ms[int(times_us[i])] for i in at], np.nan)


def _print_gaps(at_us: list[int], no_fix_us: list[int]) -> None:
    """Print the gaps between GPS_INPUT, but for those in which a frame gave no position."""
    told_us = np.array(no_fix_us)
    gaps_us = np.array([
        b - a for a, b in itertools.pairwise(at_us) if not ((told_us > a) & (told_us < b)).any()
    ])  # fmt: skip
    left_out = len(at_us) - 1 - len(gaps_us)
    print(
        f"  GPS_INPUT {len(at_us)}: gaps {quantiles(gaps_us * 1e-3)}; over 150 ms {np.sum(gaps_us > 150_000)}, "
        f"over {STEADY_US / 1e3:.0f} ms {np.sum(gaps_us > STEADY_US)}; left out, without a position: {left_out}"
    )


def quantiles(values_ms: ArrayLike) -> str:
    """Say median, p99 and the largest."""
    p50, p99, most = np.percentile(np.asarray(values_ms), (50, 99, 100))
    return f"p50 {p50:.1f}, p99 {p99:.1f}, worst {most:.1f} ms"
