"""The aircraft as it tells itself: telemetry at a frame's time, its velocity now, its GNSS for the watch over it."""

from __future__ import annotations

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.gimbal import Mount
from runtime.aircraft.mavlink_telemetry import MavlinkTelemetry
from runtime.aircraft.take_off import TakeOff
from runtime.clock import monotonic_us
from runtime.fix import Doubt, Fix, Verdict
from runtime.frame import Telemetry
from runtime.link.link import Notice
from runtime.start import Start, checked_start
from runtime.watch.gnss import GnssWatch
from runtime.ways.address import Address, WayKind, parse_address
from runtime.ways.piece import Peer, Piece

_WAYS: tuple[WayKind, ...] = ("udpin", "udpout", "tcp", "serial")
_SIGMAS = 2.0  # of a place that somebody vouches for, as in a start's radius
_MAX_SPEED_MPS = 30.0  # by which the drone may have left it since


class Aircraft:
    """An autopilot that is listened to."""

    def __init__(
        self, source: str, mount: Mount | None, system_id: int | None, *, gnss_before_take_off: bool = False
    ) -> None:
        """``mount`` None: a gimbal tells where the camera looks. Raises SettingsError for a source that is none.

        ``gnss_before_take_off``: the flight begins where GNSS says that the vehicle leaves the ground.
        """
        self._buffer = TelemetryBuffer(mount)
        take_off = TakeOff() if gnss_before_take_off else None
        self._mavlink = MavlinkTelemetry(parse_telemetry(source), self._buffer, system_id=system_id, take_off=take_off)
        self._gnss = GnssWatch()

    def start(self) -> None:
        """Begin to listen."""
        self._mavlink.start()

    def stop(self) -> None:
        """Stop listening, and close the connection."""
        self._mavlink.stop()

    def at(self, t_us: int) -> Telemetry:
        """Return what the aircraft knew at a time on this computer's monotonic clock."""
        return self._buffer.at(t_us)

    def velocity_en_mps(self) -> tuple[float, float]:
        """Return the velocity that it tells now; NaN where it tells none."""
        told = self._buffer.at(monotonic_us())
        return told.vel_east_mps, told.vel_north_mps

    def look(self, verdict: Verdict, exposed_at_us: int) -> tuple[tuple[Doubt, ...], Notice | None]:
        """Compare a verdict with the autopilot's GNSS: what is doubted, and what the pilot is to be told."""
        for sample in self._mavlink.take_gnss():
            self._gnss.take_gnss(sample)
        text = self._gnss.take_fix(verdict, exposed_at_us) if isinstance(verdict, Fix) else None
        doubts: tuple[Doubt, ...] = ("gnss",) if self._gnss.disagreement_m is not None else ()
        return doubts, None if text is None else Notice("warning", text)

    def take_start(self) -> Start | None:
        """Return where somebody vouches that the drone is, once; two sigma are the radius.

        Raises SettingsError for a place that is none.
        """
        asked = self._mavlink.take_start()
        if asked is None:
            return None
        reach_m = _MAX_SPEED_MPS * max(monotonic_us() - asked.t_us, 0) * 1e-6
        return checked_start(asked.lat, asked.lon, _SIGMAS * asked.sigma_m + reach_m, "the start")

    def open_shared_way(self) -> TelemetryWay:
        """Return a way for a link over the connection by which the autopilot is heard."""
        return TelemetryWay(self._mavlink)


class TelemetryWay:
    """Bytes to the autopilot over the telemetry's connection; of what comes back it shows heartbeats alone."""

    def __init__(self, mavlink: MavlinkTelemetry) -> None:
        self._mavlink = mavlink
        self._shown = b""

    def wait(self, timeout_s: float) -> None:
        """Return at once: a heartbeat comes once a second."""

    def write(self, data: bytes, peer: Peer = None) -> None:
        """Send to the vehicle; raises OSError where the connection is not open now."""
        self._mavlink.write(data)

    def read(self) -> list[Piece]:
        """Return the autopilot's heartbeat where a new one came, which says what autopilot it is."""
        newest = self._mavlink.heartbeat
        if newest is self._shown:
            return []
        self._shown = newest
        return [Piece(newest)]

    def close(self) -> None:
        """Leave the connection to its owner."""


def parse_telemetry(source: str) -> Address:
    """Read ``[telemetry] source``; raises SettingsError with the value and what was expected."""
    return parse_address(source, allowed=_WAYS, key="[telemetry] source", scheme="mavlink:")
