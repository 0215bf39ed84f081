"""The aircraft as it tells itself: telemetry at a frame's time, its velocity now, its GNSS for the watch alone."""

from __future__ import annotations

import math

from runtime.daemon.frames import monotonic_us
from runtime.fix import Doubt, Fix, Verdict
from runtime.frame import Telemetry
from runtime.link.link import Notice
from runtime.sensors.buffer import TelemetryBuffer
from runtime.sensors.gimbal import Mount
from runtime.sensors.mavlink_port import parse_telemetry
from runtime.sensors.mavlink_telemetry import MavlinkTelemetry
from runtime.start import Start
from runtime.watch.gnss import GnssWatch


class Aircraft:
    """An autopilot that is listened to."""

    def __init__(self, source: str, mount: Mount | None, system_id: int | None) -> None:
        """``mount`` None: a gimbal tells where the camera looks. Raises SettingsError for a source that is none."""
        self._buffer = TelemetryBuffer(mount)
        self._mavlink = MavlinkTelemetry(parse_telemetry(source), self._buffer, system_id=system_id)
        self._gnss = GnssWatch()

    def start(self) -> None:
        """Begin to listen."""
        self._mavlink.start()

    def stop(self) -> None:
        """End."""
        self._mavlink.stop()

    def at(self, t_us: int) -> Telemetry:
        """Return what the aircraft knew at a time on this computer's monotonic clock."""
        return self._buffer.at(t_us)

    def velocity_en_mps(self) -> tuple[float, float]:
        """Return the velocity that it tells now; NaN where it tells none."""
        told = self._buffer.at(monotonic_us())
        return told.vel_east_mps, told.vel_north_mps
