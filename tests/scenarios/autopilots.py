"""What autopilots make of the positions that they are sent: their acceptance rules, as far as they were read.

Source: ArduPilot AP_GPS_MAV and AP_GPS (a gap over 245 ms is unhealthy, ignored fields keep their values), PX4 v1.18
EKF2 auxiliary global position (silence of 5 s ends it, the time of a position is its transmission less processing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

HEALTHY_GAP_S = 0.245
SILENCE_S = 5.0
NO_FIX_SIGMA_M = 100.0


@dataclass
class ArduPilotGps:
    """A GPS driver that is fed with GPS_INPUT (#232)."""

    heard: list[tuple[float, Any]] = field(default_factory=list)  # seconds, message

    def hear(self, at_s: float, message: Any) -> None:
        assert message.fix_type == 3, "what is no fix is not sent"
        assert message.horiz_accuracy <= NO_FIX_SIGMA_M
        assert not self.heard or message.ignore_flags == self.heard[0][1].ignore_flags, "a field would keep old values"
        self.heard.append((at_s, message))

    def gaps_s(self) -> list[float]:
        """Between messages, without the silences that say a loss."""
        return [b - a for (a, _), (b, _) in pairwise(self.heard) if b - a < 1.0]

    def between(self, first_s: float, last_s: float) -> list[Any]:
        return [message for at_s, message in self.heard if first_s <= at_s < last_s]


@dataclass
class Px4Position:
    """A filter that is fed with GLOBAL_POSITION_SENSOR (#296): what it fuses, and when it has stopped."""

    fused: list[tuple[float, Any]] = field(default_factory=list)

    def hear(self, at_s: float, message: Any) -> None:
        assert math.isfinite(message.eph), "an unknown uncertainty would be taken for a parameter's"
        assert 0.0 < message.eph <= NO_FIX_SIGMA_M
        assert message.id > 0, "a slot that is off"
        exposed_us = message.time_usec - message.processing_time
        if self.fused:
            last = self.fused[-1][1]
            assert exposed_us > last.time_usec - last.processing_time, "a position older than the last"
        self.fused.append((at_s, message))

    def stopped_between(self, first_s: float, last_s: float) -> bool:
        """Tell whether the filter had given the sensor up at some time between two."""
        times_s = [first_s, *(at_s for at_s, _ in self.fused if first_s <= at_s < last_s), last_s]
        return any(b - a > SILENCE_S for a, b in pairwise(times_s))
