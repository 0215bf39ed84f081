"""This computer's clock that is never set: what every exposure, link and stamp is told by."""

from __future__ import annotations

import time


def monotonic_us() -> int:
    """Return CLOCK_MONOTONIC, microseconds."""
    return time.monotonic_ns() // 1000
