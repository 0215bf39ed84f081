"""Live telemetry by MAVLink: a thread that listens to the autopilot and fills a buffer."""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
from collections.abc import Callable
from typing import Any

from pymavlink.dialects.v20.common import MAV_COMP_ID_AUTOPILOT1

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.gnss import GnssSample
from runtime.aircraft.mavlink_decode import StartRequest
from runtime.aircraft.mavlink_inbox import MavlinkInbox
from runtime.aircraft.mavlink_requests import MavlinkRequests
from runtime.aircraft.mavlink_stream import MavlinkReader, MavlinkWriter
from runtime.aircraft.take_off import TakeOff
from runtime.clock import monotonic_us
from runtime.ways.address import Address
from runtime.ways.piece import Peer
from runtime.ways.way import Way, open_way

_WAIT_S = 0.1
_FIRST_BACK_OFF_S = 0.5
_LONGEST_BACK_OFF_S = 10.0
_SILENT_US = 3_000_000
_REOPEN_US = 10_000_000  # a TCP connection whose other end lost power is never closed
_FLOOD_BYTES_PER_S = 300_000  # three times what the fastest serial port brings; beyond, the rest of us comes first
_FLOOD_BURST_BYTES = 100_000

_log = logging.getLogger(__name__)


class MavlinkTelemetry:
    """Listens until it is stopped; what breaks is opened again after a while, and said once.

    Nothing here makes the caller wait, but :meth:`stop`, for some seconds at most.
    """

    def __init__(
        self,
        address: Address,
        buffer: TelemetryBuffer,
        *,
        system_id: int | None = None,  # the vehicle's; None: the first autopilot that is heard
        component_id: int = 197,  # ours: MAV_COMP_ID_VISUAL_INERTIAL_ODOMETRY
        take_off: TakeOff | None = None,  # the flight begins where GNSS says that it leaves the ground
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self.buffer = buffer
        self._address, self._now_us = address, now_us
        self._inbox = MavlinkInbox(buffer, system_id=system_id, component_id=component_id, take_off=take_off)
        self._writer = MavlinkWriter(component_id)
        self._stopping = threading.Event()
        self.heartbeat = b""
        """The autopilot's newest, as it came; empty before any did."""
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._vehicle_at: Peer = None
        self._heard_us: int | None = None  # when anything of the vehicle came last
        self._writing = threading.Lock()  # guards the way, which links may share
        self._way: Way | None = None  # while it is open
        self._said: set[str] = set()  # since the vehicle was heard last

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def write(self, data: bytes) -> None:
        """Send to the vehicle over the connection that it is heard by; raises OSError where there is none now.

        For who speaks to the same autopilot: a serial port has one owner.
        """
        with self._writing:
            if self._way is None:
                raise OSError(errno.ENOTCONN, "the telemetry's connection is not open")
            with contextlib.suppress(TimeoutError):
                self._way.write(data, self._vehicle_at)

    @property
    def vehicle(self) -> int | None:
        """Return the system id of the vehicle that is listened to; None before any was heard."""
        return self._inbox.vehicle

    @property
    def is_heard(self) -> bool:
        """Tell whether the vehicle has said anything in the last three seconds."""
        return self._heard_us is not None and self._now_us() - self._heard_us <= _SILENT_US

    @property
    def reboots(self) -> int:
        """Return how often the autopilot has booted anew."""
        return self._inbox.reboots

    def take_gnss(self) -> list[GnssSample]:
        """Return what the receivers have said since the last call: for the watch over them."""
        return [self._inbox.gnss.popleft() for _ in range(len(self._inbox.gnss))]

    def take_start(self) -> StartRequest | None:
        """Return where an operator, or GNSS at take-off, said that the drone is, once; None where nobody did."""
        try:
            return self._inbox.start.popleft()
        except IndexError:
            return None

    def _run(self) -> None:
        back_off_s = _FIRST_BACK_OFF_S
        while not self._stopping.is_set():
            heard_us = self._heard_us
            try:
                self._listen()
            except OSError as error:
                self._say(logging.WARNING, f"telemetry {self._address}: {error.strerror or error}")
            except Exception:  # of a message that nobody foresaw: to be silent from now on would be worse
                _log.exception("telemetry %s begins anew", self._address)
            if self._heard_us != heard_us:
                back_off_s = _FIRST_BACK_OFF_S
            self._stopping.wait(back_off_s)
            back_off_s = min(2 * back_off_s, _LONGEST_BACK_OFF_S)

    def _listen(self) -> None:
        """Open the way and read until it is stopped; raises OSError where it breaks or has gone quiet."""
        way = open_way(self._address)
        try:
            reader, requests, flood = MavlinkReader(), MavlinkRequests(), _Flood(self._now_us())
            self._vehicle_at, opened_us, self._way = None, self._now_us(), way
            while not self._stopping.is_set():
                way.wait(_WAIT_S)
                pieces, now_us = way.read(), self._now_us()
                for data, peer in pieces:
                    for message in reader.read(data, peer):
                        self._take(way, message, peer, now_us)
                self._send_due(way, requests, now_us)
                self._tell_silence(opened_us, now_us)
                # What comes meanwhile waits in the system's queue, or is dropped there.
                self._stopping.wait(flood.pause_s(sum(len(data) for data, _ in pieces), now_us))
        finally:
            with self._writing:
                self._way = None
                way.close()

    def _take(self, way: Way, message: Any, peer: Peer, now_us: int) -> None:
        answer = self._inbox.take(message, now_us)
        if answer is not None:
            self._write(way, self._writer.packed(answer, self.vehicle or 1), peer)
        if self._inbox.is_of_vehicle(message):
            self._heard_us = now_us
            if message.get_srcComponent() == MAV_COMP_ID_AUTOPILOT1:  # its gimbal may speak from elsewhere
                self._vehicle_at = peer
                if message.get_type() == "HEARTBEAT":
                    self.heartbeat = bytes(message.get_msgbuf())

    def _send_due(self, way: Way, requests: MavlinkRequests, now_us: int) -> None:
        due = requests.heartbeats(now_us)
        if self.vehicle is not None and self.is_heard:
            due += requests.requests(now_us, self.vehicle, self._inbox.heard, self.reboots)
        for message in due:
            self._write(way, self._writer.packed(message, self.vehicle or 1), self._vehicle_at)

    def _write(self, way: Way, data: bytes, peer: Peer) -> None:
        with self._writing, contextlib.suppress(TimeoutError):  # what cannot be sent at once is dropped
            way.write(data, peer)

    def _tell_silence(self, opened_us: int, now_us: int) -> None:
        """Say once that the vehicle is heard, or not any more; a TCP connection is then opened anew."""
        if self.is_heard:
            self._said &= {self._heard_text}
            self._say(logging.INFO, self._heard_text)
        elif now_us - opened_us > _SILENT_US:
            self._said.discard(self._heard_text)
            who = "an autopilot" if self.vehicle is None else f"vehicle {self.vehicle}"
            silence = f"nothing is heard of {who}; its messages must come here"
            self._say(logging.WARNING, f"telemetry {self._address}: {silence}")
        silent_us = now_us - max(opened_us, self._heard_us or 0)
        if self._address.kind == "tcp" and silent_us > _REOPEN_US:
            raise TimeoutError(errno.ETIMEDOUT, "connected, and silent for 10 s: connecting again")

    @property
    def _heard_text(self) -> str:
        return f"telemetry {self._address}: vehicle {self.vehicle} is heard"

    def _say(self, level: int, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            _log.log(level, "%s", text)


class _Flood:
    """How long to pause, so that no flood takes more of the processor than an autopilot does (a token bucket)."""

    def __init__(self, now_us: int) -> None:
        self._left_bytes, self._then_us = float(_FLOOD_BURST_BYTES), now_us

    def pause_s(self, taken_bytes: int, now_us: int) -> float:
        refilled = self._left_bytes + (now_us - self._then_us) * 1e-6 * _FLOOD_BYTES_PER_S
        self._left_bytes, self._then_us = min(refilled, float(_FLOOD_BURST_BYTES)) - taken_bytes, now_us
        return max(-self._left_bytes / _FLOOD_BYTES_PER_S, 0.0)
