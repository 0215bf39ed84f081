"""What the tests of links say, and to whom."""

from __future__ import annotations

import time

from runtime.fix import Fix, NoFix
from runtime.link.link import Said, Velocity

VELOCITY = Velocity(3.0, 4.0, 0.5)


def said(
    *,
    lat: float = 47.5123457,
    lon: float = 8.2345678,
    cov_en_m2: tuple[float, float, float] = (4.0, 0.0, 9.0),
    alt_msl_m: float | None = 612.5,
    yaw_deg: float | None = None,
    velocity: Velocity | None = VELOCITY,
    exposed_at_us: int | None = None,
    is_carried: bool = False,
) -> Said:
    """Return a fix on its way; exposed now, if nothing else is said."""
    at_us = time.monotonic_ns() // 1000 if exposed_at_us is None else exposed_at_us
    fix = Fix(at_us, lat, lon, None, None, alt_msl_m, yaw_deg, cov_en_m2, "registration", 0.1, 90, 20.0)
    return Said(fix, at_us, is_carried=is_carried, velocity=velocity)


def nothing_said(exposed_at_us: int = 0) -> Said:
    """Return a frame without a position."""
    return Said(NoFix(exposed_at_us, "no_match"), exposed_at_us)
