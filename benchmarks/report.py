"""What every benchmark prints beside its figures: machine, threads, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import onnxruntime as ort


def print_setting(threads: int) -> None:
    """One line a reader needs before believing a number."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    ).stdout.strip()
    versions = f"numpy {np.__version__}, OpenCV {cv2.__version__}, ONNX Runtime {ort.__version__}"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {threads or 'all'} threads"
    print(f"{machine}; Python {platform.python_version()}, {versions}; commit {commit or 'unknown'}")


def median_ms(call: Callable[[], object], calls: int, warmup: int = 3) -> float:
    """Median milliseconds of a call on this machine, warmed up."""
    for _ in range(warmup):
        call()
    samples = []
    for _ in range(calls):
        started = perf_counter()
        call()
        samples.append((perf_counter() - started) * 1e3)
    return float(np.median(samples))
