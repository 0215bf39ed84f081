"""What a MAVLink message says, in the units of the inside; None where it says nothing that can be used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from runtime.aircraft.gnss import GnssSample
from runtime.aircraft.quaternion import Quaternion, from_euler

EXTERNAL_POSITION_ESTIMATE = 43003  # MAV_CMD, in COMMAND_INT
_DOWNWARD = 25  # MAV_SENSOR_ROTATION_PITCH_270
_LEAST_UPRIGHT = math.cos(math.radians(40.0))  # beyond, the beam meets ground far to the side
_INVALID_SIGNAL = 1  # DISTANCE_SENSOR.signal_quality; 0 is unknown
_FIX_3D = 3
_NO_HDOP = 65535
_SIGMA_PER_HDOP_M = 5.0  # a receiver that tells no accuracy: single frequency, under open sky
_GLOBAL_FRAMES = (0, 3, 5, 6)  # MAV_FRAME_GLOBAL, and with other heights, which nobody reads
_LARGEST_SIGMA_M = 100_000.0
_OLDEST_S = 60.0


@dataclass(frozen=True, slots=True)
class StartRequest:
    """Somebody vouches for where the drone is: an operator by MAV_CMD_EXTERNAL_POSITION_ESTIMATE (43003), or GNSS at
    take-off where the settings have it.
    """

    t_us: int  # this computer's monotonic clock, when the drone was there
    lat: float
    lon: float
    sigma_m: float  # one sigma


def attitude_of(message: Any) -> Quaternion:
    """Return the airframe's attitude of ATTITUDE (30, radians) or ATTITUDE_QUATERNION (31)."""
    if message.get_type() == "ATTITUDE_QUATERNION":
        return message.q1, message.q2, message.q3, message.q4
    angles = (message.roll, message.pitch, message.yaw)
    if not all(math.isfinite(angle) for angle in angles):
        return math.nan, math.nan, math.nan, math.nan
    return from_euler(*(math.degrees(angle) for angle in angles))


def rangefinder_height_m(message: Any, upright: float) -> float | None:
    """Return the height of DISTANCE_SENSOR (132, cm) over level ground; ``upright`` is the cosine of the tilt.

    None where the sensor does not look down, measures nothing, or the airframe is tilted too far for it.
    """
    if message.orientation != _DOWNWARD or message.signal_quality == _INVALID_SIGNAL:
        return None
    if not max(message.min_distance, 1) <= message.current_distance <= message.max_distance:
        return None  # out of range is told as a distance beyond the limits
    if not upright >= _LEAST_UPRIGHT:
        return None
    return float(message.current_distance * 0.01 * upright)


def terrain_height_m(message: Any) -> float | None:
    """Return the height above the autopilot's terrain map, TERRAIN_REPORT (136).

    It rests on the autopilot's own position: over hills it is as wrong as that.
    """
    height_m = float(message.current_height)
    return height_m if message.spacing > 0 and height_m > 0.0 else None  # no spacing: no terrain data there


def clearance_m(message: Any) -> float | None:
    """Return the height above ground of ALTITUDE (141), by the autopilot's own fusion of a rangefinder.

    Its ``altitude_terrain`` is not read: PX4 fills in the height of the ground, other senders that above ground.
    """
    height_m = float(message.bottom_clearance)
    return height_m if height_m > 0.0 else None  # negative or NaN: none


def gnss_of(message: Any, t_us: int) -> GnssSample | None:
    """Return the position of GPS_RAW_INT (24) or GPS2_RAW (124); None without a 3D fix or a place on Earth."""
    lat, lon = message.lat * 1e-7, message.lon * 1e-7
    if message.fix_type < _FIX_3D or not (abs(lat) <= 90.0 and abs(lon) <= 180.0) or (lat == 0.0 and lon == 0.0):
        return None
    if message.h_acc > 0:
        sigma_m = message.h_acc * 1e-3
    else:
        hdop = message.eph * 0.01 if 0 < message.eph < _NO_HDOP else 2.0
        sigma_m = hdop * _SIGMA_PER_HDOP_M
    return GnssSample(t_us, lat, lon, sigma_m, 2 if message.get_type() == "GPS2_RAW" else 1)


def start_of(message: Any, arrived_us: int) -> StartRequest | None:
    """Return the place of a COMMAND_INT (75) with MAV_CMD_EXTERNAL_POSITION_ESTIMATE; None where it is to be denied.

    Param 2 is the age in seconds (0 or NaN: unknown), param 3 one sigma in metres, x and y degrees times 1e7.
    """
    lat, lon, sigma_m = message.x * 1e-7, message.y * 1e-7, float(message.param3)
    age_s = float(message.param2) if math.isfinite(message.param2) else 0.0
    if not (abs(lat) <= 90.0 and abs(lon) <= 180.0 and 0.0 < sigma_m <= _LARGEST_SIGMA_M and 0.0 <= age_s <= _OLDEST_S):
        return None
    if message.frame not in _GLOBAL_FRAMES or (message.x == 0 and message.y == 0):  # 0, 0 was left out
        return None
    return StartRequest(arrived_us - round(age_s * 1e6), lat, lon, sigma_m)
