"""A camera frame with what the aircraft knew when it was exposed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The aircraft's own knowledge; NaN where it knows nothing."""

    t_us: int
    alt_agl_m: float
    cam_roll_deg: float
    cam_pitch_deg: float  # -90 straight down, 0 the horizon
    cam_yaw_deg: float  # clockwise from true north
    vel_north_mps: float = float("nan")
    vel_east_mps: float = float("nan")
    alt_msl_m: float = float("nan")
    session: str = ""  # another session may have another mount or camera set-up

    def as_possible(self) -> Telemetry:
        """Return the same row with what no drone can measure, infinite or beyond all bounds, as unknown."""
        unknown: dict[str, Any] = {name: math.nan for name, most in LARGEST.items() if abs(getattr(self, name)) > most}
        return replace(self, **unknown) if unknown else self


LARGEST = {
    "alt_agl_m": 20_000.0,
    "cam_roll_deg": 360.0,
    "cam_pitch_deg": 180.0,
    "cam_yaw_deg": 36_000.0,
    "vel_north_mps": 1_000.0,
    "vel_east_mps": 1_000.0,
    "alt_msl_m": 20_000.0,
}
"""The most that each can be, either way: more is of another unit, or of a sensor or decoder that has failed. A yaw may
be counted on past a turn.
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture; ``picture`` is (H, W, 3) RGB, or empty where it could not be read."""

    telemetry: Telemetry
    picture: NDArray[np.uint8]
    name: str = ""

    @property
    def t_us(self) -> int:
        return self.telemetry.t_us
