"""MSP2_SENSOR_GPS (0x1F03) in MSP version 2 frames, by which iNav takes a position from a companion; no sockets.

Layout: ``mspSensorGpsDataMessage_t`` in iNav's ``src/main/msp/msp_protocol_v2_sensor_msg.h``. Its comments say
centimetres for both accuracies, but iNav divides them by ten to get its own centimetres (``gps_msp.c``): millimetres
arrive as they are told, and centimetres would arrive ten times too good. A reader that believes the comment (ArduPilot)
sees an accuracy ten times worse, and is spoken to by MAVLink instead.
"""

from __future__ import annotations

import math
import struct
from datetime import datetime, timedelta, timezone

from runtime.fix import Fix
from runtime.link.link import Said, Velocity
from runtime.link.wire import SATELLITES_NONE_SEEN, deg_e7, dilution, gps_time, sendable, sigma_m

SENSOR_GPS = 0x1F03
_LAYOUT = struct.Struct("<BHIBBHHHHiiiiiiHHHBBBBB")  # 52 bytes
_HEADER = struct.Struct("<BHH")  # flag, function, size
_MAX_U16 = 0xFFFF
_NO_WEEK = 0xFFFF
_NO_YAW = 0xFFFF  # ours is the camera's
_FIX_3D = 3  # the least by which iNav navigates
_VERTICAL_MM = 0xFFFF
"""65 m, where iNav takes an altitude up to ``inav_max_eph_epv``, 10 m: the barometer keeps the altitude to itself."""


def sensor_gps(said: Said, utc_us: int | None) -> bytes:
    """Return the frame of a verdict; ``utc_us`` is of the exposure, None where the computer's clock is not set.

    No fix is said at once, by fix type 0; so is one whose 1-sigma the wire cannot hold (65 m). Nothing is returned for
    a fix without a velocity: iNav takes what stands in its place as measured, and 0 would mean that it hovers.
    """
    fix = sendable(said)
    if fix is None or _ceil(sigma_m(fix) * 1000) > _MAX_U16:
        return framed(
            SENSOR_GPS, _LAYOUT.pack(*_moment(utc_us), 0, 0, *[_MAX_U16] * 4, *[0] * 7, _NO_YAW, *_date(utc_us))
        )
    if said.velocity is None:
        return b""
    return framed(SENSOR_GPS, _of_fix(fix, said.velocity, utc_us))


def _of_fix(fix: Fix, velocity: Velocity, utc_us: int | None) -> bytes:
    """Return the payload of a fix."""
    course_deg = math.degrees(math.atan2(velocity.east_mps, velocity.north_mps))
    return _LAYOUT.pack(
        *_moment(utc_us),
        _FIX_3D,
        SATELLITES_NONE_SEEN,
        _accuracy_mm(fix),
        _VERTICAL_MM,
        min(_ceil(velocity.sigma_mps * 100), _MAX_U16),
        _ceil(dilution(sigma_m(fix)) * 100),
        deg_e7(fix.lon),
        deg_e7(fix.lat),
        0 if fix.alt_msl_m is None else round(fix.alt_msl_m * 100),
        round(velocity.north_mps * 100),
        round(velocity.east_mps * 100),
        0,  # down: covered by the vertical accuracy
        round(course_deg * 100) % 36_000,
        _NO_YAW,
        *_date(utc_us),
    )


def framed(function: int, payload: bytes) -> bytes:
    """Return a frame of MSP version 2 towards a flight controller, which is asked nothing."""
    body = _HEADER.pack(0, function, len(payload)) + payload
    return b"$X<" + body + bytes([crc8_dvb_s2(body)])


def crc8_dvb_s2(data: bytes) -> int:
    """Return the checksum of a frame: CRC-8 with polynomial 0xD5, from 0, most significant bit first."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0xD5) & 0xFF if crc & 0x80 else crc << 1
    return crc


def _moment(utc_us: int | None) -> tuple[int, int, int]:
    """Return the instance, the GPS week and the milliseconds in it."""
    return (0, _NO_WEEK, 0) if utc_us is None else (0, *gps_time(utc_us))


def _date(utc_us: int | None) -> tuple[int, int, int, int, int, int]:
    """Return year, month, day, hour, minute, second of UTC, all 0 where unknown."""
    if utc_us is None:
        return (0, 0, 0, 0, 0, 0)
    utc = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=utc_us)
    return (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second)


def _accuracy_mm(fix: Fix) -> int:
    """Return the 1-sigma in millimetres, of whole centimetres: the division by ten cuts the rest off."""
    return _ceil(sigma_m(fix) * 100) * 10


def _ceil(value: float) -> int:
    """Return an accuracy in whole units, rounded up; a millionth over is the float's, not ours."""
    return math.ceil(value - 1e-6)
