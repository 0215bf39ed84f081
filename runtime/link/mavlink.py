"""MAVLink messages of what is said: fields in wire units, no sockets.

Names and units are those of ``message_definitions/v1.0/common.xml``; a number behind a name is the message's.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from pymavlink.dialects.v20 import common as dialect

from runtime.fix import Fix
from runtime.link.link import Said, Velocity
from runtime.link.wire import (
    MAX_DILUTION,
    SATELLITES_NONE_SEEN,
    deg_e7,
    dilution,
    float32_up,
    gps_time,
    sendable,
    sigma_m,
)

Fields: TypeAlias = dict[str, int | float]

SENSOR_SOURCE_VISION = 2  # GLOBAL_POSITION_SRC
NEVER_IGNORED_LATER = (
    dialect.GPS_INPUT_IGNORE_FLAG_VDOP
    | dialect.GPS_INPUT_IGNORE_FLAG_VEL_VERT
    | dialect.GPS_INPUT_IGNORE_FLAG_VERTICAL_ACCURACY
)
"""What we never know of GPS_INPUT: nothing vertical but an altitude that the aircraft itself told."""
_AHEAD_US = 100_000  # a driver may stamp a frame's end, a moment ahead
UNKNOWN_SPEED_SIGMA_MPS = 50.0  # ArduPilot's EKF takes none larger: next to nothing is learned from it


def global_position_sensor(said: Said, now_us: int, *, sensor_id: int = 1) -> Fields | None:
    """Return GLOBAL_POSITION_SENSOR (#296), or None: no fix is silence, never a huge ``eph``.

    ``now_us`` is of the clock of ``said.exposed_at_us``. Positions carried by motion alone, of moments and of frames
    alike, are left out: to a filter that flies by its own motion they say the last fix again. PX4 reads ``id`` 0 as no
    sensor.
    """
    fix = sendable(said)
    if fix is None or said.is_carried or fix.source == "dead_reckoning":
        return None
    age_us = now_us - said.exposed_at_us
    if not -_AHEAD_US <= age_us < 2**32:  # another clock's: a position of another moment is none
        return None
    return {
        "target_system": 0,  # 0, 0: to all
        "target_component": 0,
        "id": sensor_id,
        "time_usec": now_us,  # of transmission
        "processing_time": max(age_us, 0),  # the autopilot goes back by this much
        "source": SENSOR_SOURCE_VISION,
        "flags": 0,
        "lat": deg_e7(fix.lat),
        "lon": deg_e7(fix.lon),
        "alt_ellipsoid": math.nan,
        "alt": math.nan if fix.alt_msl_m is None else fix.alt_msl_m,
        "eph": float32_up(sigma_m(fix)),
        "epv": math.nan,
    }


class GpsInputs:
    """GPS_INPUT (#232) of a whole flight, for ArduPilot's GPS1_TYPE 14.

    A field ignored in one message and not in the next mixes old values with new, so the first fix decides for good
    whether an altitude is told. One without an altitude later on repeats the last.
    """

    def __init__(self) -> None:
        self._ignored: int | None = None
        self._alt_msl_m = 0.0

    def of(self, said: Said, utc_us: int | None) -> Fields | None:
        """Return the message's fields, or None without a fix; ``utc_us`` is of the exposure, None where unknown."""
        fix = sendable(said)
        if fix is None:
            return None
        if self._ignored is None:
            unknown = dialect.GPS_INPUT_IGNORE_FLAG_ALT if fix.alt_msl_m is None else 0
            self._ignored = NEVER_IGNORED_LATER | unknown
        if fix.alt_msl_m is not None:
            self._alt_msl_m = fix.alt_msl_m
        return gps_input(fix, said.velocity, utc_us, said.exposed_at_us, ignored=self._ignored, alt_m=self._alt_msl_m)


def gps_input(
    fix: Fix, velocity: Velocity | None, utc_us: int | None, exposed_at_us: int, *, ignored: int, alt_m: float
) -> Fields:
    """Return the fields of GPS_INPUT (#232).

    An unknown speed is 0 with an accuracy so bad that nothing follows from it. A clock that is not set is week 0, by
    which ArduPilot does without the correction of jitter. The yaw is left out: ours is the camera's.
    """
    week, week_ms = (0, 0) if utc_us is None else gps_time(utc_us)
    sigma = sigma_m(fix)
    return {
        "time_usec": exposed_at_us,
        "gps_id": 0,
        "ignore_flags": ignored,
        "time_week_ms": week_ms,
        "time_week": week,
        "fix_type": 3,
        "lat": deg_e7(fix.lat),
        "lon": deg_e7(fix.lon),
        "alt": alt_m,
        "hdop": dilution(sigma),
        "vdop": MAX_DILUTION,
        "vn": 0.0 if velocity is None else velocity.north_mps,
        "ve": 0.0 if velocity is None else velocity.east_mps,
        "vd": 0.0,
        "speed_accuracy": UNKNOWN_SPEED_SIGMA_MPS if velocity is None else float32_up(velocity.sigma_mps),
        "horiz_accuracy": float32_up(sigma),
        "vert_accuracy": float32_up(sigma),
        "satellites_visible": SATELLITES_NONE_SEEN,
        "yaw": 0,  # none
    }


def heartbeat() -> Fields:
    """Return the fields of HEARTBEAT (#0): a companion that is no autopilot."""
    return {
        "type": dialect.MAV_TYPE_ONBOARD_CONTROLLER,
        "autopilot": dialect.MAV_AUTOPILOT_INVALID,
        "base_mode": 0,
        "custom_mode": 0,
        "system_status": dialect.MAV_STATE_ACTIVE,
        "mavlink_version": 3,
    }


def timesync_answer(asked: Any, now_ns: int) -> Fields | None:
    """Return the fields of our answer to a TIMESYNC (#111), or None where it asks nothing (an answer itself)."""
    if asked.tc1 != 0:
        return None
    return {"tc1": now_ns, "ts1": asked.ts1}
