"""Telemetry at a frame's time, between the rows around it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from runtime.frame import Telemetry

_MAX_GAP_US = 2_000_000  # telemetry further away than this says nothing of a video frame


def telemetry_at(rows: Sequence[Telemetry], times_us: Sequence[int], t_us: int) -> Telemetry:
    """Telemetry at a time, straight between the rows around it (yaw the short way); unknown far from any row."""
    after = min(max(bisect_right(times_us, t_us), 1), len(rows) - 1)
    a, b = rows[after - 1], rows[after]
    if min(abs(t_us - a.t_us), abs(t_us - b.t_us)) > _MAX_GAP_US:
        unknown = math.nan
        return Telemetry(t_us, unknown, unknown, unknown, unknown)
    share = min(max((t_us - a.t_us) / (b.t_us - a.t_us), 0.0), 1.0) if b.t_us != a.t_us else 0.0
    turn = (b.cam_yaw_deg - a.cam_yaw_deg + 180.0) % 360.0 - 180.0
    between = {
        name: getattr(a, name) + share * (getattr(b, name) - getattr(a, name))
        for name in ("alt_agl_m", "cam_roll_deg", "cam_pitch_deg", "vel_north_mps", "vel_east_mps", "alt_msl_m")
    }
    return replace(a, t_us=t_us, cam_yaw_deg=(a.cam_yaw_deg + share * turn) % 360.0, **between)
