"""A small vehicle that speaks MAVLink over UDP, for tests."""

from __future__ import annotations

import math
import socket
from typing import Any

from pymavlink.dialects.v20 import common as mavlink

from runtime.aircraft.quaternion import Quaternion, from_euler

INT32_MAX = 2**31 - 1


def boot_message(kind: str, boot_ms: int, **values: Any) -> Any:
    """A message with a stamp since boot, whatever is not given being nothing."""
    defaults: dict[str, dict[str, Any]] = {
        "ATTITUDE": {"roll": 0.0, "pitch": 0.0, "yaw": 0.0, "rollspeed": 0.0, "pitchspeed": 0.0, "yawspeed": 0.0},
        "ATTITUDE_QUATERNION": {
            **{"q1": 1.0, "q2": 0.0, "q3": 0.0, "q4": 0.0},
            **{"rollspeed": 0.0, "pitchspeed": 0.0, "yawspeed": 0.0},
        },
        "LOCAL_POSITION_NED": {"x": 0.0, "y": 0.0, "z": 0.0, "vx": 0.0, "vy": 0.0, "vz": 0.0},
        "GLOBAL_POSITION_INT": {"lat": 0, "lon": 0, "alt": 0, "relative_alt": 0, "vx": 0, "vy": 0, "vz": 0, "hdg": 0},
        "DISTANCE_SENSOR": {
            **{"min_distance": 20, "max_distance": 10_000, "current_distance": 5_000, "type": 0, "id": 0},
            **{"orientation": 25, "covariance": 255},
        },
        "GIMBAL_DEVICE_ATTITUDE_STATUS": {
            **{"target_system": 0, "target_component": 0, "flags": 32, "q": [1.0, 0.0, 0.0, 0.0], "failure_flags": 0},
            **{"angular_velocity_x": 0.0, "angular_velocity_y": 0.0, "angular_velocity_z": 0.0},
        },
    }
    cls = getattr(mavlink, f"MAVLink_{kind.lower()}_message")
    return cls(**{"time_boot_ms": boot_ms, **defaults[kind], **values})


def altitude_message(boot_us: int, **values: float) -> Any:
    names = ("monotonic", "amsl", "local", "relative", "terrain")
    heights = {f"altitude_{name}": values.pop(name, math.nan) for name in names}
    clearance = values.pop("clearance", math.nan)
    return mavlink.MAVLink_altitude_message(time_usec=boot_us, **heights, bottom_clearance=clearance)


def gps_message(*, fix_type: int = 3, lat: float = 47.5, lon: float = 8.2, second: bool = False, **more: Any) -> Any:
    at = [round(lat * 1e7), round(lon * 1e7)]
    if second:
        return mavlink.MAVLink_gps2_raw_message(0, fix_type, *at, 0, 100, 100, 0, 0, 12, 0, 0, **more)
    values = {"eph": 100, **more}
    return mavlink.MAVLink_gps_raw_int_message(
        time_usec=0,
        fix_type=fix_type,
        lat=at[0],
        lon=at[1],
        alt=0,
        epv=100,
        vel=0,
        cog=0,
        satellites_visible=12,
        **values,
    )


def position_command(
    *,
    lat: float = 47.5,
    lon: float = 8.2,
    sigma_m: float = 50.0,
    age_s: float = 0.0,
    frame: int = 0,
    to: tuple[int, int] = (1, 197),
) -> Any:
    """MAV_CMD_EXTERNAL_POSITION_ESTIMATE as an operator sends it."""
    x, y = (INT32_MAX if math.isnan(v) else round(v * 1e7) for v in (lat, lon))
    return mavlink.MAVLink_command_int_message(*to, frame, 43003, 0, 0, 0.0, age_s, sigma_m, 0.0, x, y, math.nan)


def autopilot_heartbeat() -> Any:
    return mavlink.MAVLink_heartbeat_message(2, mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, 0, 0, 4, 3)


class Speaker:
    """A component on the bus: packs, sends to one address, and reads what is sent back."""

    def __init__(self, system: int, component: int = 1, port: int = 0) -> None:
        self._mav = mavlink.MAVLink(None, srcSystem=system, srcComponent=component)
        self._parser = mavlink.MAVLink(None)
        self._parser.robust_parsing = True
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0.05)

    def __enter__(self) -> Speaker:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def packed(self, message: Any) -> bytes:
        data = bytes(message.pack(self._mav))
        self._mav.seq = (self._mav.seq + 1) % 256
        return data

    def decoded(self, message: Any) -> Any:
        """The message as it comes out of its bytes."""
        (found,) = self._parser.parse_buffer(self.packed(message))
        return found

    def send(self, *messages: Any) -> None:
        for message in messages:
            self.send_bytes(self.packed(message))

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendto(data, ("127.0.0.1", self._port))

    def received(self) -> list[Any]:
        messages: list[Any] = []
        try:
            while True:
                messages += self._parser.parse_buffer(self._socket.recv(65_536)) or []
        except TimeoutError:
            return messages


def tilted(roll_deg: float = 0.0, pitch_deg: float = 0.0, yaw_deg: float = 0.0) -> dict[str, float]:
    q: Quaternion = from_euler(roll_deg, pitch_deg, yaw_deg)
    return dict(zip(("q1", "q2", "q3", "q4"), q, strict=True))
