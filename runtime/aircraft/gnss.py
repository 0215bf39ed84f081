"""What a GNSS receiver of the autopilot says: for the watch over it, and in the air never for the localizer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GnssSample:
    """A position by one receiver."""

    t_us: int  # this computer's monotonic clock
    lat: float
    lon: float
    sigma_m: float  # horizontal, one sigma, as the receiver has it
    receiver: int = 1  # 1 or 2
