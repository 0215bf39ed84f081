"""Sorts what comes from an autopilot: whose it is, of what time, and where it goes. No sockets, no clock of its own."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from pymavlink.dialects.v20 import common as mavlink

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.clock_map import ClockMap
from runtime.aircraft.gimbal import gimbal_frame
from runtime.aircraft.gnss import GnssSample
from runtime.aircraft.mavlink_decode import (
    EXTERNAL_POSITION_ESTIMATE,
    StartRequest,
    attitude_of,
    clearance_m,
    gnss_of,
    rangefinder_height_m,
    start_of,
    terrain_height_m,
)
from runtime.aircraft.take_off import TakeOff

_AUTOPILOT = mavlink.MAV_COMP_ID_AUTOPILOT1
_GIMBALS = (154, 171, 172, 173, 174, 175)  # MAV_COMP_ID_GIMBAL, GIMBAL2 to 6
_GIMBAL_STATUS = "GIMBAL_DEVICE_ATTITUDE_STATUS"
_GIMBAL_SILENT_US = 5_000_000  # after that, another gimbal may be heard
_SECOND_BEST_AFTER_US = 1_000_000
_UNIX_US = 10**15  # a stamp beyond is no time since boot
_OLDEST_GNSS_US = 1_000_000  # a stamp that far behind is of no clock we know
_STAMPED_WHEN_SENT = ("ATTITUDE", "ATTITUDE_QUATERNION", "LOCAL_POSITION_NED")


class MavlinkInbox:
    """Fills a telemetry buffer from one vehicle's autopilot and its gimbal; nobody else on the bus can.

    Without a ``system_id`` the vehicle is the first whose autopilot sends a heartbeat. A command is heard from anybody
    who addresses it to us, as a ground station does.
    """

    def __init__(
        self,
        buffer: TelemetryBuffer,
        *,
        system_id: int | None = None,
        component_id: int = 197,
        take_off: TakeOff | None = None,
    ) -> None:
        """``take_off``: the flight begins where GNSS says that the vehicle leaves the ground."""
        self.vehicle = system_id
        self._take_off = take_off
        self.component_id = component_id
        self.heard: Counter[str] = Counter()
        """Messages of the vehicle by name."""
        self.strangers: Counter[tuple[int, int]] = Counter()
        """Messages that were not heard, by system and component."""
        self.gnss: deque[GnssSample] = deque(maxlen=100)
        self.start: deque[StartRequest] = deque(maxlen=1)  # the newest replaces one that nobody took
        self._buffer = buffer
        self._clocks: dict[int, ClockMap] = {}
        self._gimbal: tuple[int, int, int] | None = None  # component, device, when heard last
        self._best_us: dict[str, int] = {}
        self._takers: dict[str, Callable[[Any, int, int], None]] = {
            "ATTITUDE": self._attitude,
            "ATTITUDE_QUATERNION": self._attitude,
            "LOCAL_POSITION_NED": self._local_position,
            "GLOBAL_POSITION_INT": self._global_position,
            "ALTITUDE": self._altitude,
            "DISTANCE_SENSOR": self._distance,
            "TERRAIN_REPORT": self._terrain,
            "GPS_RAW_INT": self._gnss,
            "GPS2_RAW": self._gnss,
            "EXTENDED_SYS_STATE": self._landed,
            "HEARTBEAT": self._heartbeat,
        }

    @property
    def reboots(self) -> int:
        """Return how often the autopilot has booted anew while it was heard."""
        clock = self._clocks.get(_AUTOPILOT)
        return clock.restarts if clock else 0

    def is_of_vehicle(self, message: Any) -> bool:
        """Tell whether a message comes from the vehicle's autopilot, or from its gimbal about its attitude."""
        if message.get_srcSystem() != self.vehicle:
            return False
        component = message.get_srcComponent()
        return component == _AUTOPILOT or (component in _GIMBALS and message.get_type() == _GIMBAL_STATUS)

    def take(self, message: Any, arrived_us: int) -> Any | None:
        """Take in a message that arrived at a time of the monotonic clock; return the answer to it, if it wants one."""
        kind = message.get_type()
        if kind in ("BAD_DATA", "COMMAND_ACK") or kind.startswith("UNKNOWN"):
            return None
        if kind == "TIMESYNC":
            return _timesync(message, arrived_us)
        if kind in ("COMMAND_INT", "COMMAND_LONG"):
            return self._command(message, arrived_us)
        system, component = message.get_srcSystem(), message.get_srcComponent()
        if kind == "HEARTBEAT" and self.vehicle is None and _is_autopilot(message, component):
            self.vehicle = system
        if not self.is_of_vehicle(message):
            if len(self.strangers) < 1_000:  # ids are two bytes: enough for a report
                self.strangers[system, component] += 1
            return None
        self.heard[kind] += 1
        t_us = self._when(message, kind, component, arrived_us)
        if kind == _GIMBAL_STATUS:
            self._take_gimbal(message, component, t_us, arrived_us)
        elif kind in self._takers:
            self._takers[kind](message, t_us, arrived_us)
        return None

    def _when(self, message: Any, kind: str, component: int, arrived_us: int) -> int:
        """Return when a message was stamped, on this computer's clock; its arrival where it has no stamp."""
        clock = self._clocks.setdefault(component, ClockMap())
        boot_us = getattr(message, "time_boot_ms", 0) * 1000 or getattr(message, "time_usec", 0)
        if not 0 < boot_us < _UNIX_US:
            return arrived_us
        if kind in _STAMPED_WHEN_SENT or (component != _AUTOPILOT and kind == _GIMBAL_STATUS):
            return clock.observe(boot_us, arrived_us)
        # Others may be stamped with an older time, of a sensor or of the last GNSS fix, which would pass for a reboot.
        return clock.to_local_us(boot_us, arrived_us)

    def _is_best(self, quantity: str, arrived_us: int, *, is_first: bool) -> bool:
        """Tell whether a message is to be used: the first choice, or the second while the first is silent."""
        if is_first:
            self._best_us[quantity] = arrived_us
            return True
        best_us = self._best_us.get(quantity)
        return best_us is None or arrived_us - best_us > _SECOND_BEST_AFTER_US

    def _attitude(self, message: Any, t_us: int, arrived_us: int) -> None:
        # For tail-sitters ATTITUDE is turned to what a pilot wants to see.
        if self._is_best("attitude", arrived_us, is_first=message.get_type() == "ATTITUDE_QUATERNION"):
            self._buffer.add_attitude(t_us, attitude_of(message))

    def _local_position(self, message: Any, t_us: int, arrived_us: int) -> None:
        self._is_best("velocity", arrived_us, is_first=True)
        self._buffer.add_velocity(t_us, message.vx, message.vy, message.vz)

    def _global_position(self, message: Any, t_us: int, arrived_us: int) -> None:
        """Take velocity (cm/s) and heights (mm) alone: its lat and lon are as spoofed as the GNSS is."""
        if self._is_best("velocity", arrived_us, is_first=False):
            self._buffer.add_velocity(t_us, message.vx * 0.01, message.vy * 0.01, message.vz * 0.01)
        if self._is_best("altitude", arrived_us, is_first=False):
            self._buffer.add_altitude(t_us, "above_takeoff", message.relative_alt * 1e-3)
            self._buffer.add_alt_msl(t_us, message.alt * 1e-3)

    def _altitude(self, message: Any, t_us: int, arrived_us: int) -> None:
        height_m = clearance_m(message)
        if height_m is not None:
            self._buffer.add_altitude(t_us, "clearance", height_m)
        if message.altitude_relative == message.altitude_relative:  # NaN: the autopilot has no position yet
            self._is_best("altitude", arrived_us, is_first=True)
            self._buffer.add_altitude(t_us, "above_takeoff", message.altitude_relative)
            self._buffer.add_alt_msl(t_us, message.altitude_amsl)

    def _distance(self, message: Any, t_us: int, arrived_us: int) -> None:
        height_m = rangefinder_height_m(message, self._buffer.uprightness_at(t_us))
        if height_m is not None:
            self._buffer.add_altitude(t_us, "rangefinder", height_m)

    def _terrain(self, message: Any, t_us: int, arrived_us: int) -> None:
        height_m = terrain_height_m(message)
        if height_m is not None:
            self._buffer.add_altitude(t_us, "terrain", height_m)

    def _gnss(self, message: Any, t_us: int, arrived_us: int) -> None:
        sample = gnss_of(message, t_us if arrived_us - t_us <= _OLDEST_GNSS_US else arrived_us)
        if sample is not None:
            self.gnss.append(sample)
            if self._take_off is not None:
                self._take_off.take_gnss(sample)

    def _landed(self, message: Any, t_us: int, arrived_us: int) -> None:
        if self._take_off is not None and message.landed_state != mavlink.MAV_LANDED_STATE_UNDEFINED:
            is_landed = message.landed_state == mavlink.MAV_LANDED_STATE_ON_GROUND
            self._begin_at(self._take_off.take_landed(arrived_us, is_landed=is_landed))

    def _heartbeat(self, message: Any, t_us: int, arrived_us: int) -> None:
        if self._take_off is not None:
            is_armed = bool(message.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
            self._begin_at(self._take_off.take_armed(arrived_us, is_armed=is_armed))

    def _begin_at(self, place: StartRequest | None) -> None:
        """Begin the flight where GNSS says that it left the ground, unless an operator has just said where."""
        if place is not None and not self.start:
            self.start.append(place)

    def _take_gimbal(self, message: Any, component: int, t_us: int, arrived_us: int) -> None:
        """Hear one gimbal: of two, or of one whose autopilot repeats it, the one that was heard first."""
        device = message.gimbal_device_id
        if self._gimbal is not None and self._gimbal[:2] != (component, device):
            is_other_alive = arrived_us - self._gimbal[2] <= _GIMBAL_SILENT_US
            if is_other_alive:
                return
        self._gimbal = component, device, arrived_us
        frame = gimbal_frame(message.flags)
        if frame is not None:
            w, x, y, z = message.q
            self._buffer.add_gimbal(t_us, (w, x, y, z), yaw_is_to_north=frame == "earth")

    def _command(self, message: Any, arrived_us: int) -> Any | None:
        """Answer an operator's position for us: COMMAND_ACK (77); others' commands are none of our business."""
        is_ours = message.target_system == self.vehicle and message.target_component == self.component_id
        if message.command != EXTERNAL_POSITION_ESTIMATE or not is_ours:
            return None
        request = start_of(message, arrived_us) if message.get_type() == "COMMAND_INT" else None
        if request is not None:
            self.start.append(request)
            result = mavlink.MAV_RESULT_ACCEPTED
        elif message.get_type() == "COMMAND_LONG":
            result = mavlink.MAV_RESULT_COMMAND_INT_ONLY  # a float32 has no room for a place
        else:
            result = mavlink.MAV_RESULT_DENIED
        system, component = message.get_srcSystem(), message.get_srcComponent()
        return mavlink.MAVLink_command_ack_message(message.command, result, 0, 0, system, component)


def _is_autopilot(heartbeat: Any, component: int) -> bool:
    """Tell an autopilot's heartbeat from a ground station's or a camera's."""
    is_flown: bool = heartbeat.autopilot != mavlink.MAV_AUTOPILOT_INVALID and heartbeat.type != mavlink.MAV_TYPE_GCS
    return component == _AUTOPILOT and is_flown


def _timesync(asked: Any, now_us: int) -> Any | None:
    """Answer a TIMESYNC (111) with this computer's clock, by which PX4 reads our stamps; an answer asks nothing."""
    return None if asked.tc1 else mavlink.MAVLink_timesync_message(tc1=now_us * 1000, ts1=asked.ts1)
