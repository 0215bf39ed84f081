"""Ways for bytes: UDP, TCP and serial ports that never make their caller wait longer than a tenth of a second.

Any of them may raise OSError from ``write`` and ``read``: it is then to be closed and opened anew.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import serial

from runtime.errors import SettingsError
from runtime.link.address import Address
from runtime.link.readers import Readers

WAIT_S = 0.1
CONNECT_S = 0.5
DATAGRAMS_AT_ONCE = 16  # and BYTES_AT_ONCE: a peer that floods us costs a bounded piece of each tick
BYTES_AT_ONCE = 4096
PEER_SILENT_S = 5.0
MAX_PEERS = 8


class Way(Protocol):
    """Bytes out and bytes in."""

    def write(self, data: bytes) -> None:
        """Send; what nobody listens to is dropped. Raises OSError where the way is broken."""

    def read(self) -> list[bytes]:
        """Return what came in since, a bounded piece of it. Raises OSError where the way is broken."""

    def close(self) -> None:
        """Close it; may be called twice."""


def open_way(address: Address, makes_sense: Callable[[bytes], bool] = lambda data: True) -> Way:
    """Open it; raises OSError where that may mend itself, SettingsError where it never will.

    ``makes_sense`` tells whether a datagram is of the kind that is spoken: who sends others is no peer.
    """
    if address.kind == "serial":
        return SerialWay(address)
    if address.kind == "tcp":
        return TcpWay(address)
    if address.kind == "tcpin":
        return TcpServerWay(address)
    return UdpWay(address, makes_sense)


class UdpWay:
    """Datagrams: ``udpout`` to one peer, ``udpin`` back to all who spoke, and made sense, in the last seconds."""

    def __init__(self, address: Address, makes_sense: Callable[[bytes], bool] = lambda data: True) -> None:
        self._makes_sense = makes_sense
        self._socket = socket.socket(_family(address), socket.SOCK_DGRAM)
        self._heard_s: dict[Any, float] = {}  # of each peer's address
        self._is_out = address.kind == "udpout"
        with _closed_on_error(self._socket):
            self._socket.setblocking(False)
            if self._is_out:
                self._socket.connect((address.place, address.number))
            else:
                bind(self._socket, address)

    def write(self, data: bytes) -> None:
        """Send one datagram."""
        # a full buffer drops it, as the air would; refused means that nobody listens yet
        if self._is_out:
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                self._socket.send(data)
        for peer in self._heard_s:
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                self._socket.sendto(data, peer)

    def read(self) -> list[bytes]:
        """Return the datagrams that came, each a piece of its own."""
        got: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(DATAGRAMS_AT_ONCE):
                try:
                    data, peer = self._socket.recvfrom(BYTES_AT_ONCE)
                except ConnectionRefusedError:
                    continue
                got.append(data)
                if not self._is_out:
                    self._hear(peer, data)
        return got

    def _hear(self, peer: Any, data: bytes) -> None:
        if peer not in self._heard_s and not self._makes_sense(data):
            return
        now_s = time.monotonic()
        self._heard_s = {who: at_s for who, at_s in self._heard_s.items() if now_s - at_s < PEER_SILENT_S}
        if peer in self._heard_s or len(self._heard_s) < MAX_PEERS:
            self._heard_s[peer] = now_s

    def close(self) -> None:
        """Close it; may be called twice."""
        self._socket.close()


class TcpWay:
    """A connection to a server."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection((address.place, address.number), timeout=CONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        """Send all of it: a time-out in the middle breaks the stream, and is an OSError."""
        self._socket.settimeout(WAIT_S)
        self._socket.sendall(data)

    def read(self) -> list[bytes]:
        """Return what came in; raises ConnectionResetError where the server has closed."""
        self._socket.setblocking(False)
        try:
            data = self._socket.recv(BYTES_AT_ONCE)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the server has closed the connection")
        return [data]

    def close(self) -> None:
        """Close it; may be called twice."""
        self._socket.close()


class TcpServerWay:
    """A server; all who connect are told the same."""

    def __init__(self, address: Address) -> None:
        listener = socket.socket(_family(address), socket.SOCK_STREAM)
        with _closed_on_error(listener):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bind(listener, address)
            self._readers = Readers(listener)

    def write(self, data: bytes) -> None:
        """Send to all; who is slow is dropped."""
        self._readers.write(data)

    def read(self) -> list[bytes]:
        """Take in who wants to connect; return what the others said."""
        return self._readers.read(BYTES_AT_ONCE)

    def close(self) -> None:
        """Close it; may be called twice."""
        self._readers.close()


class SerialWay:
    """A serial port, 8N1, ours alone."""

    def __init__(self, address: Address) -> None:
        try:
            self._port = serial.Serial(
                address.place, address.number, timeout=0, write_timeout=WAIT_S, exclusive=True
            )  # fmt: skip
        except ValueError as error:
            raise SettingsError(f"[[link]] url {address}: {error}; expected a baud such as 115200 or 921600") from None
        except OSError as error:  # pyserial's own error is one
            raise _told(error, address) from None

    def write(self, data: bytes) -> None:
        """Send; raises OSError where the line takes the bytes too slowly."""
        self._port.write(data)

    def read(self) -> list[bytes]:
        """Return what came in."""
        data = bytes(self._port.read(BYTES_AT_ONCE))
        return [data] if data else []

    def close(self) -> None:
        """Close it; may be called twice."""
        self._port.close()


def bind(to: socket.socket, address: Address) -> None:
    """Listen there; raises SettingsError where another program does."""
    try:
        to.bind((address.place, address.number))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"[[link]] url {address}: port {address.number} is taken by another program; expected a free one. "
                f"See who holds it: ss -tulpn 'sport = {address.number}'"
            ) from None
        raise


def _told(error: OSError, address: Address) -> Exception:
    """Return the error that says what a person can do."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return SettingsError(
            f"[[link]] url {address}: {address.place} may not be opened by this user; expected one of its group. "
            "Join it and log in again: sudo usermod -aG dialout $USER"
        )
    if error.errno == errno.ENOENT:
        return FileNotFoundError(errno.ENOENT, f"there is no {address.place}: is it plugged in?")
    return error


def _family(address: Address) -> socket.AddressFamily:
    """Return which internet a host is on; raises OSError where its name is unknown."""
    return socket.getaddrinfo(address.place, address.number)[0][0]


@contextlib.contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    """Close what could not be made ready."""
    try:
        yield
    except BaseException:
        sock.close()
        raise
