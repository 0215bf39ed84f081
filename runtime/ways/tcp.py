"""A connection to a server, or a server that all may read from."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import time
from collections.abc import Iterator

from runtime.ways.address import Address
from runtime.ways.piece import WAIT_S, Peer, Piece
from runtime.ways.readers import Readers

CONNECT_S = 0.5
BYTES_AT_ONCE = 16_384  # a peer that floods us costs a bounded piece of each look


class TcpWay:
    """A connection to a server."""

    def __init__(self, address: Address) -> None:
        """Connect to the server; raises OSError where that fails."""
        self._socket = socket.create_connection((address.place, address.number), timeout=CONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def wait(self, timeout_s: float) -> None:
        """Wait until there is something to read, or the time is over."""
        select.select([self._socket], [], [], timeout_s)

    def read(self) -> list[Piece]:
        """Return what came in; raises ConnectionResetError where the server has closed."""
        try:
            data = self._socket.recv(BYTES_AT_ONCE)
        except BlockingIOError:
            return []
        except ConnectionResetError:  # it closed, and had not read all
            data = b""
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the server has closed the connection")
        return [Piece(data)]

    def write(self, data: bytes, peer: Peer = None) -> None:
        """Send all of it; a time-out in the middle breaks the stream, and is a TimeoutError."""
        left, end_s = memoryview(data), time.monotonic() + WAIT_S
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                wait_s = end_s - time.monotonic()
                if wait_s <= 0.0:
                    raise TimeoutError(errno.ETIMEDOUT, "the server does not read") from None
                select.select([], [self._socket], [], wait_s)

    def close(self) -> None:
        """Close it; may be called twice."""
        self._socket.close()


class TcpServerWay:
    """A server; all who connect are told the same."""

    def __init__(self, address: Address) -> None:
        """Listen at the address; raises OSError where that fails."""
        listener = socket.socket(family_of(address), socket.SOCK_STREAM)
        with closed_on_error(listener):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.place, address.number))
            self._readers = Readers(listener)

    def wait(self, timeout_s: float) -> None:
        """Wait until somebody says something or wants to connect, or the time is over."""
        self._readers.wait(timeout_s)

    def read(self) -> list[Piece]:
        """Take in who wants to connect; return what the others said."""
        return [Piece(data) for data in self._readers.read(BYTES_AT_ONCE)]

    def write(self, data: bytes, peer: Peer = None) -> None:
        """Send to all; who is slow is dropped."""
        self._readers.write(data)

    def close(self) -> None:
        """Close it; may be called twice."""
        self._readers.close()


def family_of(address: Address) -> socket.AddressFamily:
    """Return which internet a host is on; raises OSError where its name is unknown."""
    return socket.getaddrinfo(address.place, address.number)[0][0]


@contextlib.contextmanager
def closed_on_error(sock: socket.socket) -> Iterator[None]:
    """Close what could not be made ready."""
    try:
        yield
    except BaseException:
        sock.close()
        raise
