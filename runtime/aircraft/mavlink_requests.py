"""What an autopilot is asked for, and when; and the heartbeat without which some send nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pymavlink.dialects.v20 import common as mavlink

_HEARTBEAT_US = 1_000_000
_AGAIN_US = 5_000_000
_RATES_HZ = {
    "ATTITUDE_QUATERNION": 50.0,
    "ATTITUDE": 10.0,
    "GIMBAL_DEVICE_ATTITUDE_STATUS": 20.0,
    "LOCAL_POSITION_NED": 10.0,
    "GLOBAL_POSITION_INT": 5.0,
    "ALTITUDE": 5.0,
    "DISTANCE_SENSOR": 10.0,
    "TERRAIN_REPORT": 2.0,
    "GPS_RAW_INT": 5.0,
    "GPS2_RAW": 5.0,
    "EXTENDED_SYS_STATE": 2.0,
}


class MavlinkRequests:
    """Asks for every message when a vehicle is met and when it has booted anew, and again for what does not come."""

    def __init__(self) -> None:
        self._beaten_us: int | None = None
        self._asked_us: int | None = None
        self._reboots = 0
        self._heard: Counter[str] = Counter()

    def heartbeats(self, now_us: int) -> list[Any]:
        """Return the HEARTBEAT (0) that is due, of a computer on board; one a second."""
        if self._beaten_us is not None and now_us - self._beaten_us < _HEARTBEAT_US:
            return []
        self._beaten_us = now_us
        kind, no_autopilot, active = (
            mavlink.MAV_TYPE_ONBOARD_CONTROLLER,
            mavlink.MAV_AUTOPILOT_INVALID,
            mavlink.MAV_STATE_ACTIVE,
        )
        return [mavlink.MAVLink_heartbeat_message(kind, no_autopilot, 0, 0, active, 3)]

    def requests(self, now_us: int, vehicle: int, heard: Counter[str], reboots: int) -> list[Any]:
        """Return the requests (MAV_CMD_SET_MESSAGE_INTERVAL) that are due, with how often each message was heard."""
        is_new = self._asked_us is None or reboots != self._reboots
        if not is_new and self._asked_us is not None and now_us - self._asked_us < _AGAIN_US:
            return []
        wanted = [name for name in _RATES_HZ if is_new or heard[name] == self._heard[name]]
        self._asked_us, self._reboots, self._heard = now_us, reboots, heard.copy()
        return [interval_request(name, vehicle) for name in wanted]


def interval_request(name: str, vehicle: int) -> Any:
    """Return the COMMAND_LONG (76) by which an autopilot is asked for a message at its rate."""
    return mavlink.MAVLink_command_long_message(
        vehicle,
        mavlink.MAV_COMP_ID_AUTOPILOT1,
        mavlink.MAV_CMD_SET_MESSAGE_INTERVAL,
        0,
        getattr(mavlink, f"MAVLINK_MSG_ID_{name}"),
        round(1e6 / _RATES_HZ[name]),
        *[0.0] * 5,
    )
