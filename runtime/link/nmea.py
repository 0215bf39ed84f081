"""NMEA 0183 sentences of what is said: GGA, RMC, VTG, GST and HDT of talker GP, no sockets.

ArduPilot does not read GST: there our 1-sigma arrives as HDOP alone, as if 2.5 stood for 5 m. A blank field is unknown.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from functools import reduce

from runtime.fix import Fix
from runtime.link.link import Said, Velocity
from runtime.link.wire import SATELLITES_NONE_SEEN, ceil_to, dilution, semi_axes_m, sendable, sigma_m

DEFAULT_SENTENCES: tuple[str, ...] = ("GGA", "RMC", "VTG", "GST")
"""Without HDT, which readers take for the aircraft's heading: ours is the camera's, the same where it is fixed."""

KNOTS_IN_MPS = 3600.0 / 1852.0
KMH_IN_MPS = 3.6


def sentences(said: Said, utc_us: int | None, wanted: tuple[str, ...] = DEFAULT_SENTENCES) -> bytes:
    """Return the sentences of a verdict, to be sent at once: ArduPilot wants GGA and RMC within 150 ms.

    Without a fix GGA has quality 0 and RMC status V; GST and HDT are left out. ``utc_us`` is of the exposure, or None
    where the computer's clock is not set.
    """
    fix = sendable(said)
    utc = None if utc_us is None else datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=utc_us)
    bodies: dict[str, str | None] = {
        "GGA": _gga(fix, utc),
        "RMC": _rmc(fix, said.velocity, utc),
        "VTG": _vtg(fix, said.velocity),
        "GST": None if fix is None else _gst(fix, utc),
        "HDT": None if fix is None or fix.yaw_deg is None else f"HDT,{_turn(fix.yaw_deg)},T",
    }
    return b"".join(_framed(body) for name in wanted if (body := bodies[name]) is not None)


def checksum(body: str) -> int:
    """Return the exclusive or of all characters between ``$`` and ``*``."""
    return reduce(lambda total, byte: total ^ byte, body.encode("ascii"), 0)


def _framed(body: str) -> bytes:
    """Return the sentence of talker GP with its checksum and line's end."""
    return f"$GP{body}*{checksum('GP' + body):02X}\r\n".encode("ascii")


def _gga(fix: Fix | None, utc: datetime | None) -> str:
    if fix is None:
        return f"GGA,{_clock(utc)},,,,,0,00,,,M,,M,,"
    alt = "" if fix.alt_msl_m is None else f"{fix.alt_msl_m:.1f}"
    # the geoid's height is unknown to us: blank, and the altitude is above mean sea level as it stands
    return f"GGA,{_clock(utc)},{_place(fix)},1,{SATELLITES_NONE_SEEN},{dilution(sigma_m(fix)):.2f},{alt},M,,M,,"


def _rmc(fix: Fix | None, velocity: Velocity | None, utc: datetime | None) -> str:
    date = "" if utc is None else f"{utc:%d%m%y}"
    if fix is None:
        return f"RMC,{_clock(utc)},V,,,,,,,{date},,,N"
    speed = "" if velocity is None else f"{_speed_mps(velocity) * KNOTS_IN_MPS:.2f}"
    return f"RMC,{_clock(utc)},A,{_place(fix)},{speed},{_course(velocity)},{date},,,A"


def _vtg(fix: Fix | None, velocity: Velocity | None) -> str:
    if fix is None or velocity is None:
        return "VTG,,T,,M,,N,,K,N"
    speed_mps = _speed_mps(velocity)
    return f"VTG,{_course(velocity)},T,,M,{speed_mps * KNOTS_IN_MPS:.2f},N,{speed_mps * KMH_IN_MPS:.2f},K,A"


def _gst(fix: Fix, utc: datetime | None) -> str:
    ee, _, nn = fix.cov_en_m2
    major, minor, bearing_deg = semi_axes_m(fix)
    sigmas = [f"{ceil_to(value, 0.01):.2f}" for value in (major, minor)]
    axes = [f"{ceil_to(math.sqrt(value), 0.01):.2f}" for value in (nn, ee)]
    return f"GST,{_clock(utc)},,{sigmas[0]},{sigmas[1]},{_turn(bearing_deg)},{axes[0]},{axes[1]},"


def _place(fix: Fix) -> str:
    """Return ``ddmm.mmmmm,N,dddmm.mmmmm,E``, counted in whole units so that no minute becomes 60."""
    lat, lon = (divmod(round(abs(deg) * 60 * 100_000), 60 * 100_000) for deg in (fix.lat, fix.lon))
    return (
        f"{lat[0]:02d}{lat[1] / 100_000:08.5f},{'N' if fix.lat >= 0 else 'S'},"
        f"{lon[0]:03d}{lon[1] / 100_000:08.5f},{'E' if fix.lon >= 0 else 'W'}"
    )


def _clock(utc: datetime | None) -> str:
    """Return ``hhmmss.ss``, cut and not rounded: a rounded one can be tomorrow's."""
    return "" if utc is None else f"{utc:%H%M%S}.{utc.microsecond // 10_000:02d}"


def _speed_mps(velocity: Velocity) -> float:
    return math.hypot(velocity.east_mps, velocity.north_mps)


def _course(velocity: Velocity | None) -> str:
    """Return where it goes over ground, degrees from true north."""
    return "" if velocity is None else _turn(math.degrees(math.atan2(velocity.east_mps, velocity.north_mps)))


def _turn(deg: float) -> str:
    """Return an angle in 0 to 359.99."""
    return f"{round(deg * 100) % 36_000 / 100:.2f}"
