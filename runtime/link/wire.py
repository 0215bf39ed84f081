"""What every wire needs of a verdict: a 1-sigma that is never too small, Earth in whole numbers, the time of day."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from runtime.fix import Fix
from runtime.link.link import Said

MAX_SIGMA_M = 100.0
"""No autopilot flies by a position worse than this, and a huge finite sigma keeps one from falling back: not sent."""

SATELLITES_NONE_SEEN = 10
"""There are none; a receiver's driver asks for six or more, and the accuracy is told beside it."""
RANGE_ERROR_M = 2.0
"""A dilution is told as if each of a receiver's ranges were this good: HDOP 2.5 is then a 1-sigma of 5 m."""
MAX_DILUTION = 99.99

SECONDS_A_WEEK = 604_800
CLOCK_IS_SET_US = 1_704_067_200_000_000  # 2024-01-01: a computer without a clock battery boots into an earlier year

_GPS_EPOCH_US = 315_964_800_000_000  # 1980-01-06, UTC
_LEAP_SECONDS = (  # (UTC, GPS - UTC from then on); none is announced after 2017: IERS Bulletin C
    (1_483_228_800_000_000, 18),  # 2017-01-01
    (1_435_708_800_000_000, 17),  # 2015-07-01
    (1_341_100_800_000_000, 16),  # 2012-07-01
    (1_230_768_000_000_000, 15),  # 2009-01-01
)


def sendable(said: Said) -> Fix | None:
    """Return the fix that may leave the computer; None where there is none, or none that is finite and good enough."""
    fix = said.verdict
    if not isinstance(fix, Fix):
        return None
    is_place = abs(fix.lat) <= 90.0 and abs(fix.lon) <= 180.0  # NaN fails
    return fix if is_place and sigma_m(fix) <= MAX_SIGMA_M else None


def sigma_m(fix: Fix) -> float:
    """Return the 1-sigma of a position along its worst direction, metres; NaN for no covariance at all."""
    return semi_axes_m(fix)[0]


def semi_axes_m(fix: Fix) -> tuple[float, float, float]:
    """Return the 1-sigma ellipse: both semi-axes in metres, and degrees from north to the greater, clockwise."""
    ee, en, nn = fix.cov_en_m2
    half, turn = (ee + nn) / 2, math.hypot((ee - nn) / 2, en)
    if not half - turn >= -1e-6 * half:  # NaN, or no covariance of anything
        return math.nan, math.nan, math.nan
    bearing_deg = math.degrees(math.atan2(2 * en, nn - ee)) / 2
    return math.sqrt(half + turn), math.sqrt(max(half - turn, 0.0)), bearing_deg % 180.0


def deg_e7(deg: float) -> int:
    """Return degrees as the wires' whole number, 1e-7 degrees (a centimetre)."""
    return round(deg * 1e7)


def ceil_to(value: float, step: float) -> float:
    """Return an accuracy rounded up to the wire's step: told accuracies are never better than ours."""
    steps = math.ceil(value / step)
    return steps * step


def dilution(sigma: float) -> float:
    """Return the HDOP that stands for a 1-sigma in metres: wires without a sigma have nothing else to tell it by."""
    return min(ceil_to(sigma / RANGE_ERROR_M, 0.01), MAX_DILUTION)


def float32_up(value: float) -> float:
    """Return an accuracy that a 32-bit float holds no smaller: the wire would round to the nearest."""
    return value * (1.0 + 2.0**-23)


def gps_time(utc_us: int) -> tuple[int, int]:
    """Return the GPS week and the milliseconds in it; raises ValueError before 2009, where the table ends."""
    for since_us, leap_s in _LEAP_SECONDS:
        if utc_us >= since_us:
            gps_ms = (utc_us - _GPS_EPOCH_US) // 1000 + leap_s * 1000
            return divmod(gps_ms, SECONDS_A_WEEK * 1000)
    raise ValueError(f"{utc_us} us is before 2009")


class UtcOfMonotonic:
    """UTC of moments on the monotonic clock.

    The offset is taken once: a receiver that models delays must never see time step. Only a clock that was not set
    when the link was made (no battery, no network yet) is asked again.
    """

    def __init__(
        self,
        monotonic_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        utc_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._monotonic_us = monotonic_us
        self._utc_us = utc_us
        self._offset_us: int | None = None

    def at(self, moment_us: int) -> int | None:
        """Return UTC in microseconds since 1970; None while the computer's clock is not set."""
        if self._offset_us is None:
            now_us = self._utc_us()
            if now_us < CLOCK_IS_SET_US:
                return None
            self._offset_us = now_us - self._monotonic_us()
        return moment_us + self._offset_us


class InOrder:
    """Lets moments pass that come after all before: a verdict of an old frame says nothing new to who was told a later.

    Frames take time; the moments between them are told at once and overtake them.
    """

    def __init__(self) -> None:
        self._last_us: int | None = None

    def passes(self, said: Said) -> bool:
        """Whether this one is later than the last that passed."""
        if self._last_us is not None and said.exposed_at_us <= self._last_us:
            return False
        self._last_us = said.exposed_at_us
        return True
