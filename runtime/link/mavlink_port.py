"""MAVLink 2 to an autopilot or a ground station, over UDP, TCP or a serial port."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import common as dialect

from runtime.clock import monotonic_us
from runtime.errors import SettingsError
from runtime.link.link import SHARED, Notice, Said
from runtime.link.link_way import open_link_way
from runtime.link.mavlink import GpsInputs, global_position_sensor, heartbeat, timesync_answer
from runtime.link.statustext import NoticePace, status_texts
from runtime.link.wire import InOrder, UtcOfMonotonic
from runtime.ways.address import Address
from runtime.ways.way import Way

log = logging.getLogger(__name__)

HEARTBEAT_US = 1_000_000
SIGNING_EPOCH_S = 1_420_070_400  # 2015-01-01
KEY_BYTES = 32


class MavlinkLink:
    """A link to whoever speaks MAVLink.

    Answers TIMESYNC, by which PX4 learns our clock, and listens for the autopilot's HEARTBEAT. Reads a bounded piece
    a tick, so that a flooding peer costs nothing but its own messages.
    """

    def __init__(
        self,
        address: Address | None,
        messages: tuple[str, ...],
        *,
        system_id: int = 1,
        component_id: int = 197,
        sensor_id: int = 1,
        signing_key: bytes | None = None,
        utc: UtcOfMonotonic | None = None,
        shared: Callable[[], Way] | None = None,
        global_position_to_ardupilot: bool = False,
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        """Without an ``address`` it goes over a way that is ``shared``: the telemetry's connection."""
        self._address, self._shared = address, shared
        self._messages = messages
        self._may_ardupilot = global_position_to_ardupilot
        self._is_kept_back = False  # GLOBAL_POSITION_SENSOR, from an ArduPilot
        self._ids = (system_id, component_id, sensor_id)
        self._signing_key = signing_key
        self._utc = utc or UtcOfMonotonic()
        self._now_us = now_us
        self._way: Way | None = None
        self._mav = self._codec()
        self._gps_inputs = GpsInputs()
        self._order = InOrder()
        self._pace = NoticePace()
        self._text_id = 0
        self._beat_us: int | None = None
        self.autopilot_id: int | None = None
        """The system id of the last autopilot that was heard, and when, on the monotonic clock."""
        self.heard_at_us: int | None = None

    @property
    def name(self) -> str:
        """Say what it is, for people."""
        return f"mavlink {self._address or SHARED}"

    @property
    def wants_carried(self) -> bool:
        """Whether GPS_INPUT is sent, which goes stale in a quarter of a second."""
        return "GPS_INPUT" in self._messages

    def open(self) -> None:
        """Open it, or open it anew. Raises OSError, SettingsError."""
        self.close()
        if self._address is not None:
            self._way = open_link_way(self._address, self._is_message)
        elif self._shared is not None:
            self._way = self._shared()
        else:
            raise SettingsError(f"[[link]] url is {SHARED!r}, and [telemetry] is missing: expected an address")
        self._mav.buf, self._mav.buf_index = bytearray(), 0
        self._beat_us = None

    def send(self, said: Said) -> None:
        """Send a fix as each of the chosen messages; without one, nothing: silence is what autopilots understand."""
        if "GLOBAL_POSITION_SENSOR" in self._messages and not self._is_kept_back:
            fields = global_position_sensor(said, self._now_us(), sensor_id=self._ids[2])
            if fields is not None:
                self._put(dialect.MAVLink_global_position_sensor_message(**fields))
        if "GPS_INPUT" in self._messages and self._order.passes(said):
            fields = self._gps_inputs.of(said, self._utc.at(said.exposed_at_us))
            if fields is not None:
                self._put(dialect.MAVLink_gps_input_message(**fields))

    def notify(self, notice: Notice) -> None:
        """Tell the pilot, as soon as the pace of notices allows."""
        self._pace.offer(notice, self._now_us())
        self._tell_notice()

    def tick(self) -> None:
        """Send a heartbeat a second, answer what came in, tell a notice that waits."""
        now_us = self._now_us()
        if self._beat_us is None or now_us - self._beat_us >= HEARTBEAT_US:
            self._beat_us = now_us
            self._put(dialect.MAVLink_heartbeat_message(**heartbeat()))
        self._listen()
        self._tell_notice()

    def close(self) -> None:
        """Close it; may be called twice."""
        if self._way is not None:
            self._way.close()
        self._way = None

    def _put(self, message: Any) -> None:
        if self._way is None:
            raise OSError(f"{self.name} is not open")
        data = message.pack(self._mav)
        self._mav.seq = (self._mav.seq + 1) % 256
        self._way.write(bytes(data))

    def _tell_notice(self) -> None:
        notice = self._pace.due(self._now_us())
        if notice is None:
            return
        self._text_id = self._text_id % 65535 + 1  # 0 is a text in one piece
        for fields in status_texts(notice, self._text_id):
            self._put(dialect.MAVLink_statustext_message(**fields))

    def _listen(self) -> None:
        if self._way is None:
            raise OSError(f"{self.name} is not open")
        for data, _ in self._way.read():
            # a datagram begins with a message, whatever came before
            if self._address is not None and self._address.kind.startswith("udp"):
                self._mav.buf, self._mav.buf_index = bytearray(), 0
            for message in self._mav.parse_buffer(data) or ():
                self._hear(message)
            del self._mav.buf[: self._mav.buf_index]  # it keeps what it has read until a piece ends with a message
            self._mav.buf_index = 0

    def _hear(self, message: Any) -> None:
        kind = message.get_type()
        if kind == "TIMESYNC":
            fields = timesync_answer(message, time.monotonic_ns())
            if fields is not None:
                self._put(dialect.MAVLink_timesync_message(**fields))
        elif kind == "HEARTBEAT" and message.autopilot != dialect.MAV_AUTOPILOT_INVALID:
            self.heard_at_us = self._now_us()
            heard_id = message.get_srcSystem()
            if heard_id not in (self._ids[0], self.autopilot_id):
                log.warning("%s: the autopilot's system id is %d, ours %d", self.name, heard_id, self._ids[0])
            self.autopilot_id = heard_id
            if message.get_srcComponent() == 1 and (self._address is None or heard_id == self._ids[0]):
                self._note_autopilot(is_ardupilot=message.autopilot == dialect.MAV_AUTOPILOT_ARDUPILOTMEGA)

    def _note_autopilot(self, *, is_ardupilot: bool) -> None:
        """Keep GLOBAL_POSITION_SENSOR from ArduPilot, whose handling of it is in review, unless the settings say so.

        Source: ArduPilot's pull request 31738: such a position holds back its fall-back to GNSS.
        """
        was_kept_back = self._is_kept_back
        self._is_kept_back = is_ardupilot and not self._may_ardupilot and "GLOBAL_POSITION_SENSOR" in self._messages
        if was_kept_back or not self._is_kept_back:
            return
        self._pace.offer(Notice("warning", "GLOBAL_POSITION_SENSOR is not sent to ArduPilot"), self._now_us())
        log.warning(
            "%s: the autopilot is ArduPilot, to which GLOBAL_POSITION_SENSOR is not sent, as it holds back the "
            "fall-back to GNSS there; send GPS_INPUT, or set global_position_to_ardupilot = true",
            self.name,
        )

    def _is_message(self, datagram: bytes) -> bool:
        """Tell whether a datagram holds a message whose checksum is right, and its signature where links are signed."""
        found = self._codec().parse_buffer(datagram) or ()
        # pymavlink does not check what it does not know
        return any(one.get_type() != "BAD_DATA" and not one.get_type().startswith("UNKNOWN") for one in found)

    def _codec(self) -> Any:
        mav = dialect.MAVLink(None, srcSystem=self._ids[0], srcComponent=self._ids[1])
        mav.robust_parsing = True  # garbage is a message of its own kind, not an exception
        if self._signing_key is not None:
            mav.signing.secret_key = self._signing_key
            mav.signing.sign_outgoing = True
            mav.signing.timestamp = max(int((time.time() - SIGNING_EPOCH_S) * 1e5), 0)  # 10 us each
        return mav


def read_signing_key(path: Path) -> bytes:
    """Read a key of 32 bytes, written as 64 hexadecimal digits; raises SettingsError."""
    mend = "expected a file of 64 hexadecimal digits: openssl rand -hex 32"
    try:
        text = path.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except OSError as error:
        raise SettingsError(f"[[link]] signing_key {path} cannot be read: {error.strerror}; {mend}") from None
    except ValueError:  # not ASCII, or not hexadecimal
        raise SettingsError(f"[[link]] signing_key {path} is not hexadecimal; {mend}") from None
    if len(key) != KEY_BYTES:
        raise SettingsError(f"[[link]] signing_key {path} has {len(key)} bytes; {mend}")
    return key
