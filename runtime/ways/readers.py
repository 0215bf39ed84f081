"""Who reads from a listening socket: all are told the same, and who is slow is dropped."""

from __future__ import annotations

import contextlib
import errno
import select
import socket

MAX_READERS = 16


class Readers:
    """The connections of one listening socket (TCP or Unix); takes the socket over."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._listener.listen(MAX_READERS)
        self._listener.setblocking(False)
        self._readers: list[socket.socket] = []
        self._is_open = True

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._readers)

    def write(self, data: bytes) -> None:
        """Send to all; one whose buffer is full, or who is gone, is dropped."""
        self._accept()
        for reader in tuple(self._readers):
            try:
                sent = reader.send(data)
            except OSError:
                sent = -1
            if sent != len(data):  # half a line must not be followed by the next
                self._drop(reader)

    def read(self, most: int) -> list[bytes]:
        """Return what they said, at most so many bytes of each; who is gone is dropped."""
        self._accept()
        got: list[bytes] = []
        for reader in tuple(self._readers):
            try:
                data = reader.recv(most)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                got.append(data)
            else:
                self._drop(reader)
        return got

    def wait(self, timeout_s: float) -> None:
        """Wait until one of them says something, or somebody wants to connect, or the time is over."""
        select.select([self._listener, *self._readers], [], [], timeout_s)

    def close(self) -> None:
        """Close all; may be called twice."""
        self._is_open = False
        for reader in tuple(self._readers):
            self._drop(reader)
        self._listener.close()

    def _accept(self) -> None:
        if not self._is_open:
            raise OSError(errno.EBADF, "the server is closed")
        with contextlib.suppress(BlockingIOError):
            for _ in range(MAX_READERS):
                reader, _ = self._listener.accept()
                reader.setblocking(False)
                self._readers.append(reader)
                if len(self._readers) > MAX_READERS:
                    self._drop(self._readers[-1])

    def _drop(self, reader: socket.socket) -> None:
        self._readers.remove(reader)
        reader.close()
