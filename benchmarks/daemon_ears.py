"""Who listens to a daemon from outside: bytes with the time at which they came, read afterwards."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from daemon_recording import Ports
from pymavlink.dialects.v20 import common as mavlink

_WAIT_S = 0.2


class Ear(ABC):
    """Keeps what comes, with the monotonic time of its arrival in microseconds."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Ear:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @abstractmethod
    def _listen(self) -> None:
        """Hear until it is done."""

    def _take(self, sock: socket.socket) -> bool:
        """Take a piece; return whether there may be more."""
        try:
            data = sock.recv(65536)
        except (TimeoutError, ConnectionResetError) as error:
            return isinstance(error, TimeoutError)
        if data:
            self.heard.append((time.monotonic_ns() // 1000, data))
        return bool(data) or sock.type is socket.SOCK_DGRAM


class UdpEar(Ear):
    """Listens for datagrams."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(_WAIT_S)

    def _listen(self) -> None:
        with self._socket:
            while not self._done.is_set():
                self._take(self._socket)


class ServerEar(Ear):
    """A TCP server that reads one client after the other."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(_WAIT_S)

    def _listen(self) -> None:
        with self._listener:
            while not self._done.is_set():
                with contextlib.suppress(TimeoutError):
                    client, _ = self._listener.accept()
                    with client:
                        client.settimeout(_WAIT_S)
                        while not self._done.is_set() and self._take(client):
                            pass


class ClientEar(Ear):
    """Connects to a TCP server, again and again until it is there."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def _listen(self) -> None:
        while not self._done.wait(0.05):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), _WAIT_S) as sock:
                while not self._done.is_set() and self._take(sock):
                    pass


class Ears:
    """Ears on every link that has an address."""

    def __init__(self, ports: Ports) -> None:
        self.mavlink, self.nmea, self.msp = UdpEar(ports.mavlink), ClientEar(ports.nmea), ServerEar(ports.msp)
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Ears:
        for ear in (self.mavlink, self.nmea, self.msp):
            self._open.enter_context(ear)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def messages(self, kind: str) -> list[tuple[int, Any]]:
        """Return the MAVLink messages of one kind, with their arrival."""
        return [(at_us, one) for at_us, one in self._messages() if one.get_type() == kind]

    def _messages(self) -> Iterator[tuple[int, Any]]:
        parser = mavlink.MAVLink(None)
        for at_us, data in self.mavlink.heard:
            for message in parser.parse_buffer(data) or ():
                yield at_us, message

    def no_fix_us(self) -> list[int]:
        """Return when NMEA said that there is no position."""
        return [at_us for at_us, data in self.nmea.heard if b",V," in data]
