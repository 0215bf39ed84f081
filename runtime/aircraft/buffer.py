"""What the aircraft knew at a frame's time, from samples that came at times of their own.

Times are microseconds of this computer's monotonic clock. One thread writes, one reads. Nothing here raises in flight:
what is too old, no number, or impossible is unknown (NaN), and counted.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runtime.aircraft.channel import Channel, ChannelLimits, Fault, Value
from runtime.aircraft.gimbal import CameraAngles, Mount, angles_of_gimbal, angles_of_mount
from runtime.aircraft.quaternion import Quaternion, uprightness
from runtime.frame import Telemetry

AltitudeSource: TypeAlias = Literal["rangefinder", "clearance", "terrain", "above_takeoff"]
"""Where an altitude comes from, the best first: the first three are above ground, the last is not over hills."""

_UNKNOWN = math.nan
_FASTEST_MPS = 150.0  # as in telemetry.csv
_ROTATION = ChannelLimits(oldest_s=0.5, fastest_per_s=2_000.0, is_rotation=True)
_ALTITUDE = ChannelLimits(oldest_s=2.0, largest=20_000.0, fastest_per_s=50.0)
_ALTITUDES: tuple[AltitudeSource, ...] = ("rangefinder", "clearance", "terrain", "above_takeoff")
_LIMITS: dict[str, ChannelLimits] = {
    "attitude": _ROTATION,
    "gimbal_earth": _ROTATION,  # its yaw against north
    "gimbal_vehicle": _ROTATION,  # its yaw against the vehicle's heading
    "velocity": ChannelLimits(oldest_s=1.0, largest=_FASTEST_MPS),
    "alt_msl": _ALTITUDE,
    "rangefinder": _ALTITUDE,
    "clearance": _ALTITUDE,
    "terrain": _ALTITUDE,
    "above_takeoff": _ALTITUDE,
}


@dataclass(frozen=True, slots=True)
class TelemetryReading:
    """Telemetry at one time, and what its altitude is."""

    telemetry: Telemetry
    altitude_source: AltitudeSource | None  # None: the altitude is unknown
    faults: Mapping[str, Fault]  # attitude, gimbal, velocity, altitude, alt_msl: why it is unknown

    @property
    def is_above_ground(self) -> bool:
        """Tell whether the altitude is above ground, and not above the place of take-off."""
        return self.altitude_source not in (None, "above_takeoff")


class TelemetryBuffer:
    """The newest seconds of attitude, gimbal, velocity and altitude.

    With a ``mount`` the camera is fixed to the airframe and no gimbal is asked; without one it hangs on a gimbal, and
    where that says nothing, nobody knows where the camera looks.
    """

    def __init__(self, mount: Mount | None = None) -> None:
        self._mount = mount
        self._channels = {name: Channel(limits) for name, limits in _LIMITS.items()}
        self._lock = threading.Lock()
        self._faults: Mapping[str, Fault] = {}
        self._counts: Counter[str] = Counter()

    def add_attitude(self, t_us: int, q: Quaternion) -> None:
        """Take in the airframe's attitude: north-east-down from body axes."""
        self._add("attitude", t_us, q)

    def add_gimbal(self, t_us: int, q: Quaternion, *, yaw_is_to_north: bool) -> None:
        """Take in the camera's attitude; its yaw is to true north, or to the vehicle's heading."""
        self._add("gimbal_earth" if yaw_is_to_north else "gimbal_vehicle", t_us, q)

    def add_velocity(self, t_us: int, north_mps: float, east_mps: float, down_mps: float) -> None:
        """Take in the velocity over ground."""
        self._add("velocity", t_us, (north_mps, east_mps, down_mps))

    def add_altitude(self, t_us: int, source: AltitudeSource, altitude_m: float) -> None:
        """Take in an altitude; a rangefinder's is its distance, corrected by the tilt (:meth:`uprightness_at`)."""
        self._add(source, t_us, (altitude_m,))

    def add_alt_msl(self, t_us: int, altitude_m: float) -> None:
        """Take in an altitude above mean sea level."""
        self._add("alt_msl", t_us, (altitude_m,))

    def uprightness_at(self, t_us: int) -> float:
        """Return the cosine of the airframe's tilt, by which a downward distance is longer than a height; or NaN."""
        with self._lock:
            attitude = self._channels["attitude"].at(t_us)
        return _UNKNOWN if isinstance(attitude, str) else uprightness(_quaternion(attitude))

    def at(self, t_us: int) -> Telemetry:
        """Return what was known at a time; NaN where nothing was."""
        return self.read(t_us).telemetry

    def read(self, t_us: int) -> TelemetryReading:
        """Return what was known at a time, what its altitude is, and what is wrong."""
        with self._lock:
            found = {name: channel.at(t_us) for name, channel in self._channels.items()}
            newest_us = {name: channel.newest_us or 0 for name, channel in self._channels.items()}
        faults: dict[str, Fault] = {}
        roll_deg, pitch_deg, yaw_deg = self._camera(found, newest_us, faults)
        source = next((name for name in _ALTITUDES if not isinstance(found[name], str)), None)
        altitude = found[source or "rangefinder"]
        if source is None:
            faults["altitude"] = _most_telling([found[name] for name in _ALTITUDES])
        north_mps, east_mps, _ = _known(found["velocity"], 3, "velocity", faults)
        (alt_msl_m,) = _known(found["alt_msl"], 1, "alt_msl", faults)
        telemetry = Telemetry(
            t_us=t_us,
            alt_agl_m=_UNKNOWN if isinstance(altitude, str) else altitude[0],
            cam_roll_deg=roll_deg,
            cam_pitch_deg=pitch_deg,
            cam_yaw_deg=yaw_deg,
            vel_north_mps=north_mps,
            vel_east_mps=east_mps,
            alt_msl_m=alt_msl_m,
        )
        with self._lock:
            self._faults = faults
            self._counts.update(f"{name} {fault}" for name, fault in faults.items())
        return TelemetryReading(telemetry, source, faults)

    @property
    def faults(self) -> Mapping[str, Fault]:
        """Return what was unknown when it was last asked for, and why."""
        return self._faults

    @property
    def counts(self) -> Counter[str]:
        """Return how often something was unknown to a frame: ``"attitude stale"``."""
        with self._lock:
            return self._counts.copy()

    @property
    def refusals(self) -> Counter[str]:
        """Return how many samples were refused: ``"rangefinder jumping"``."""
        with self._lock:
            return Counter(
                {
                    f"{name} {fault}": n
                    for name, channel in self._channels.items()
                    for fault, n in channel.refusals.items()
                }
            )

    def clear(self) -> None:
        """Forget every sample: another vehicle, or the same after a restart."""
        with self._lock:
            for channel in self._channels.values():
                channel.clear()

    def _add(self, name: str, t_us: int, value: Value) -> None:
        with self._lock:
            self._channels[name].add(t_us, value)

    def _camera(
        self, found: Mapping[str, Value | Fault], newest_us: Mapping[str, int], faults: dict[str, Fault]
    ) -> CameraAngles:
        vehicle = found["attitude"]
        if isinstance(vehicle, str):
            faults["attitude"] = vehicle
        attitude = None if isinstance(vehicle, str) else _quaternion(vehicle)
        if self._mount is not None:
            return (_UNKNOWN,) * 3 if attitude is None else angles_of_mount(attitude, self._mount)
        # A gimbal that is told to hold north instead of following goes over to the other frame: the newer one counts.
        is_earth = newest_us["gimbal_earth"] > newest_us["gimbal_vehicle"]
        gimbal = found["gimbal_earth" if is_earth else "gimbal_vehicle"]
        if isinstance(gimbal, str):
            faults["gimbal"] = gimbal
            return (_UNKNOWN,) * 3
        return angles_of_gimbal(_quaternion(gimbal), "earth" if is_earth else "vehicle", attitude)


def _known(value: Value | Fault, width: int, name: str, faults: dict[str, Fault]) -> Value:
    """Return the value, or as many NaN, and note the fault."""
    if not isinstance(value, str):
        return value
    faults[name] = value
    return (_UNKNOWN,) * width


def _most_telling(found: list[Value | Fault]) -> Fault:
    """Return why there is none, of several: that one was never heard says least."""
    told = [fault for fault in found if isinstance(fault, str)]
    return next((fault for fault in told if fault != "never_heard"), "never_heard")


def _quaternion(value: Value) -> Quaternion:
    w, x, y, z = value
    return w, x, y, z
