"""An autopilot and its gimbal that fly as a recording does, fifty times a second, for a daemon with a live camera."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import common as mavlink

from runtime.aircraft.quaternion import from_euler
from runtime.frame import Telemetry
from runtime.sensors.telemetry import read_telemetry, telemetry_at

BEGAN = "began.txt"
"""Beside the configuration: when the first picture was exposed, microseconds of this computer's monotonic clock."""
_EVERY_S = 0.02
_YAW_IS_TO_NORTH = 64  # GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME


class FlyingVehicle:
    """Tells attitude, velocity, height and gimbal over UDP; waits at the first row until the pictures begin."""

    def __init__(self, recording: Path, port: int, began: Path) -> None:
        self._rows, _ = read_telemetry(recording / "telemetry.csv")
        self._times_us = [row.t_us for row in self._rows]
        self._to, self._began, self._began_us = ("127.0.0.1", port), began, 0
        self._autopilot, self._gimbal = (mavlink.MAVLink(None, srcSystem=1, srcComponent=one) for one in (1, 154))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._fly, daemon=True)

    def __enter__(self) -> FlyingVehicle:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _fly(self) -> None:
        booted_s, number = time.monotonic() - 10.0, 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while not self._done.wait(_EVERY_S):
                number += 1
                boot_ms, now = round((time.monotonic() - booted_s) * 1e3), self._now()
                for message in _told(boot_ms, now, with_heartbeat=number % 50 == 1):
                    self._send(sock, self._autopilot, message)
                looking = from_euler(now.cam_roll_deg, now.cam_pitch_deg, now.cam_yaw_deg)
                status = mavlink.MAVLink_gimbal_device_attitude_status_message
                self._send(
                    sock, self._gimbal, status(0, 0, boot_ms, _YAW_IS_TO_NORTH, [*looking], 0.0, 0.0, 0.0, 0)
                )  # fmt: skip

    def _send(self, sock: socket.socket, codec: Any, message: Any) -> None:
        sock.sendto(bytes(message.pack(codec)), self._to)
        codec.seq = (codec.seq + 1) % 256

    def _now(self) -> Telemetry:
        if not self._began_us and self._began.is_file():
            self._began_us = int(self._began.read_text() or 0)
        t_us = time.monotonic_ns() // 1000 - self._began_us if self._began_us else 0
        return telemetry_at(self._rows, self._times_us, min(t_us, self._times_us[-1]))


def _told(boot_ms: int, now: Telemetry, *, with_heartbeat: bool) -> list[Any]:
    """Return what an autopilot tells of this moment."""
    quaternion = from_euler(0.0, 0.0, now.cam_yaw_deg)
    height_cm = round(now.alt_agl_m * 100)
    messages = [
        mavlink.MAVLink_attitude_quaternion_message(boot_ms, *quaternion, 0.0, 0.0, 0.0),
        mavlink.MAVLink_local_position_ned_message(boot_ms, 0.0, 0.0, 0.0, now.vel_north_mps, now.vel_east_mps, 0.0),
        mavlink.MAVLink_distance_sensor_message(boot_ms, 20, 20_000, height_cm, 0, 0, 25, 255),
    ]
    if with_heartbeat:
        heartbeat = mavlink.MAVLink_heartbeat_message
        messages.append(heartbeat(2, mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, 0, 0, mavlink.MAV_STATE_ACTIVE, 3))
    return messages
