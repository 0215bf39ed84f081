"""Bytes to and from an autopilot: UDP, TCP or a serial port, opened from one line of the settings."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import termios
import tty
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from runtime.aircraft.reachable import BAUDS, has_baud, is_host
from runtime.errors import SettingsError

Peer: TypeAlias = "tuple[str, int] | None"
"""Who sent a datagram; None where there is one other end."""

_EXPECTED = (
    "expected mavlink:udpin:127.0.0.1:14550 (the autopilot sends to us), mavlink:udpout:HOST:PORT, "
    "mavlink:tcp:HOST:PORT or a serial port with its speed, mavlink:/dev/ttyTHS1:921600"
)
_CONNECT_S = 2.0
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class MavlinkUrl:
    """Where MAVLink comes from; printed as it is written after ``mavlink:``."""

    kind: Literal["udpin", "udpout", "tcp", "serial"]
    place: str  # a host, or the device of a serial port
    number: int  # a port, or baud

    def __str__(self) -> str:
        return f"{self.place}:{self.number}" if self.kind == "serial" else f"{self.kind}:{self.place}:{self.number}"


def parse_telemetry(text: str) -> MavlinkUrl:
    """Read ``[telemetry] source``; raises SettingsError with the value and what was expected."""
    scheme, _, rest = text.partition(":")
    kind, _, address = rest.partition(":")
    if scheme == "mavlink" and rest.startswith("/"):
        kind, address = "serial", rest
    place, _, number = address.rpartition(":")
    if scheme != "mavlink" or kind not in ("udpin", "udpout", "tcp", "serial") or not place:
        raise SettingsError(f"[telemetry] source is {text!r}: {_EXPECTED}")
    if not (number.isascii() and number.isdigit() and len(number) < 9):
        raise SettingsError(f"[telemetry] source is {text!r}, and {number!r} is no number: {_EXPECTED}")
    value = int(number)
    if kind == "serial":
        if not has_baud(number):
            raise SettingsError(f"[telemetry] source is {text!r}: no serial port has {number} baud, expected {BAUDS}")
        return MavlinkUrl("serial", place, value)
    if not is_host(place):
        raise SettingsError(f"[telemetry] source is {text!r}, and {place!r} is no host: {_EXPECTED}")
    if not 0 < value < 65_536:
        raise SettingsError(f"[telemetry] source is {text!r}: port {value} is not between 1 and 65535")
    return MavlinkUrl("udpin" if kind == "udpin" else "udpout" if kind == "udpout" else "tcp", place, value)


class TelemetryPort(Protocol):
    """An open way to an autopilot. ``read`` and ``write`` raise OSError where it has broken."""

    def read(self, timeout_s: float) -> tuple[bytes, Peer]:
        """Wait for bytes; none where the time is over."""

    def write(self, data: bytes, peer: Peer) -> None:
        """Send to whom it came from; what cannot be sent at once is dropped."""

    def close(self) -> None:
        """Close it; may be called twice."""


def open_port(url: MavlinkUrl) -> TelemetryPort:
    """Open it. Raises OSError; :func:`why_not_open` says it in one line."""
    if url.kind == "serial":
        return _SerialPort(url.place, url.number)
    if url.kind == "tcp":
        return _TcpPort(url.place, url.number)
    return _UdpPort(url.place, url.number, is_bound=url.kind == "udpin")


def why_not_open(url: MavlinkUrl, error: OSError) -> str:
    """Say in one line what is wrong with a way to the autopilot, and what mends it."""
    mends = {
        errno.EACCES: "may not be opened: sudo usermod -aG dialout $USER, and log in again",
        errno.EPERM: "may not be opened: sudo usermod -aG dialout $USER, and log in again",
        errno.EADDRINUSE: f"port {url.number} is taken by another program, a ground station or a second daemon: "
        "stop it, or have the autopilot's messages sent to another port too",
        errno.EBUSY: f"is taken by another program: find it with sudo fuser {url.place}, and stop it",
        errno.ENOENT: "there is no such device: ls /dev/tty*",
        errno.ENOTTY: "is no serial port",
        errno.ECONNREFUSED: "nobody listens there: start the router or the simulator, or check host and port",
        errno.EADDRNOTAVAIL: f"{url.place} is no address of this computer: ip addr; 0.0.0.0 is all of them",
    }
    reason = f"host {url.place} is unknown" if isinstance(error, socket.gaierror) else mends.get(error.errno or 0)
    return f"telemetry {url}: {reason or error.strerror or error}"


class _UdpPort:
    def __init__(self, host: str, port: int, *, is_bound: bool) -> None:
        address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
        self._peer: Peer = None if is_bound else (str(address[0]), int(address[1]))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if is_bound:
                self._socket.bind(address)
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise

    def read(self, timeout_s: float) -> tuple[bytes, Peer]:
        """Read one datagram. Unconnected, so no refusal of a peer that has gone is ever reported here."""
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return b"", None
        try:
            data, (host, port, *_) = self._socket.recvfrom(_READ_BYTES)
        except BlockingIOError:  # a datagram with a wrong checksum woke us
            return b"", None
        return data, (host, port)

    def write(self, data: bytes, peer: Peer) -> None:
        target = peer or self._peer
        if target is not None:
            with contextlib.suppress(OSError):  # a full queue, or a network that is down: the next is sent again
                self._socket.sendto(data, target)

    def close(self) -> None:
        self._socket.close()


class _TcpPort:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), _CONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def read(self, timeout_s: float) -> tuple[bytes, Peer]:
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return b"", None
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed by the other end")
        return data, None

    def write(self, data: bytes, peer: Peer) -> None:
        with contextlib.suppress(BlockingIOError):
            self._socket.send(data)

    def close(self) -> None:
        self._socket.close()


class _SerialPort:
    """A serial port without flow control, 8N1, ours alone."""

    def __init__(self, device: str, baud: int) -> None:
        self._fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(self._fd, termios.TIOCEXCL)
            tty.setraw(self._fd)
            settings = termios.tcgetattr(self._fd)
            settings[2] = (settings[2] | termios.CLOCAL | termios.CREAD) & ~(termios.CRTSCTS | termios.CSTOPB)
            settings[4] = settings[5] = getattr(termios, f"B{baud}")
            termios.tcsetattr(self._fd, termios.TCSANOW, settings)
        except termios.error as error:
            os.close(self._fd)
            raise OSError(error.args[0], os.strerror(error.args[0])) from None
        except OSError:
            os.close(self._fd)
            raise

    def read(self, timeout_s: float) -> tuple[bytes, Peer]:
        if not select.select([self._fd], [], [], timeout_s)[0]:
            return b"", None
        data = os.read(self._fd, _READ_BYTES)
        if not data:  # the adapter was pulled out
            raise ConnectionResetError(errno.ENODEV, "the device has gone")
        return data, None

    def write(self, data: bytes, peer: Peer) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._fd, data)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
