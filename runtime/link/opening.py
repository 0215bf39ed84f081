"""Links as a settings file names them: ``[[link]]`` with its kind, and what that kind needs."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from runtime.errors import SettingsError
from runtime.link.jsonl import JsonlPort
from runtime.link.link import SHARED, Link
from runtime.ways.address import Address, WayKind, parse_address
from runtime.ways.way import Way

LinkKind: TypeAlias = Literal["mavlink", "nmea", "msp", "jsonl"]

WAYS: dict[str, tuple[WayKind, ...]] = {
    "mavlink": ("udpout", "udpin", "tcp", "tcpin", "serial"),
    "nmea": ("udpout", "tcp", "tcpin", "serial"),
    "msp": ("tcp", "serial"),
}
MESSAGES: dict[str, tuple[str, ...]] = {
    "mavlink": ("GLOBAL_POSITION_SENSOR", "GPS_INPUT"),
    "nmea": ("GGA", "RMC", "VTG", "GST", "HDT"),
}
REFUSED = {
    "ODOMETRY": "it is a local position, and ArduPilot cancels each correction when it re-aligns to its last one",
    "VISION_POSITION_ESTIMATE": "it is a local position, and ArduPilot cancels each correction when it re-aligns",
    "MAV_CMD_EXTERNAL_POSITION_ESTIMATE": "it resets the autopilot's position: an operator's command, never a stream",
}


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """One ``[[link]]``; raises SettingsError where a key does not fit its kind."""

    kind: str
    url: str | None = None
    path: str | None = None
    """Of ``jsonl``: a file, ``-`` or ``unix:/path.sock``."""
    messages: tuple[str, ...] = ()
    """Empty: GLOBAL_POSITION_SENSOR of MAVLink; GGA, RMC, VTG and GST of NMEA."""
    system_id: int = 1
    """The aircraft's."""
    component_id: int = 197
    """MAV_COMP_ID_VISUAL_INERTIAL_ODOMETRY."""
    sensor_id: int = 1
    """The id in GLOBAL_POSITION_SENSOR, to which PX4's EKF2_AGPn_ID is set."""
    signing_key: Path | None = None
    global_position_to_ardupilot: bool = False
    """Whether GLOBAL_POSITION_SENSOR is sent where an ArduPilot is heard."""

    def __post_init__(self) -> None:
        """Check each key against the kind."""
        if self.kind not in get_args(LinkKind):
            near = difflib.get_close_matches(self.kind, get_args(LinkKind), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise SettingsError(
                f"[[link]] kind is {self.kind!r}; expected one of {', '.join(get_args(LinkKind))}{hint}"
            )
        wanted, unwanted = ("path", "url") if self.kind == "jsonl" else ("url", "path")
        if not getattr(self, wanted):
            raise SettingsError(f"[[link]] {wanted} is missing; a link of kind {self.kind} needs one")
        if getattr(self, unwanted) is not None:
            raise SettingsError(f"[[link]] {unwanted} is {getattr(self, unwanted)!r}; {self.kind} has {wanted} instead")
        if self.kind != "jsonl" and not self.is_shared:
            self.address()
        for message in self.messages:
            self._check_message(message)
        for key in ("system_id", "component_id", "sensor_id"):
            value = getattr(self, key)
            if type(value) is not int or not 1 <= value <= 255:  # True is an int
                raise SettingsError(f"[[link]] {key} is {value!r}; expected a whole number from 1 to 255")
        if self.signing_key is not None and self.kind != "mavlink":
            raise SettingsError(f"[[link]] signing_key is {str(self.signing_key)!r}; only mavlink is signed")
        if self.global_position_to_ardupilot and self.kind != "mavlink":
            raise SettingsError("[[link]] global_position_to_ardupilot is true; only mavlink has it")

    @property
    def is_shared(self) -> bool:
        """Whether it goes over the telemetry's connection."""
        return self.kind == "mavlink" and self.url == SHARED

    def address(self) -> Address:
        """Return the url taken apart; raises SettingsError."""
        return parse_address(self.url or "", allowed=WAYS[self.kind])

    def _check_message(self, message: str) -> None:
        known = MESSAGES.get(self.kind, ())
        if message in known:
            return
        why = f": {REFUSED[message]}" if self.kind == "mavlink" and message in REFUSED else ""
        expected = f"expected of {', '.join(known)}" if known else "expected none"
        near = difflib.get_close_matches(message.upper(), known, 1)
        expected += f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"[[link]] messages has {message!r}, which {self.kind} is not sent{why}; {expected}")


def open_link(spec: LinkSpec, shared: Callable[[], Way] | None = None) -> Link:
    """Return the link of a spec, not opened yet; raises SettingsError.

    ``shared`` opens a way over the telemetry's connection, for the url ``telemetry``.
    """
    makers: dict[str, Callable[[LinkSpec], Link]] = {
        "mavlink": lambda mavlink: _mavlink(mavlink, shared),
        "nmea": _nmea,
        "msp": _msp,
        "jsonl": lambda jsonl: JsonlPort(jsonl.path or ""),
    }
    return makers[spec.kind](spec)


def _mavlink(spec: LinkSpec, shared: Callable[[], Way] | None) -> Link:
    from runtime.link.mavlink_port import MavlinkLink, read_signing_key  # pymavlink only where it is spoken

    return MavlinkLink(
        None if spec.is_shared else spec.address(),
        spec.messages or ("GLOBAL_POSITION_SENSOR",),
        system_id=spec.system_id,
        component_id=spec.component_id,
        sensor_id=spec.sensor_id,
        signing_key=None if spec.signing_key is None else read_signing_key(spec.signing_key),
        shared=shared,
        global_position_to_ardupilot=spec.global_position_to_ardupilot,
    )


def _nmea(spec: LinkSpec) -> Link:
    from runtime.link.nmea import DEFAULT_SENTENCES
    from runtime.link.nmea_port import nmea_port

    return nmea_port(spec.address(), spec.messages or DEFAULT_SENTENCES)


def _msp(spec: LinkSpec) -> Link:
    from runtime.link.msp_port import msp_port

    return msp_port(spec.address())
