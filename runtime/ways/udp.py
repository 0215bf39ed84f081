"""Datagrams."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import time
from collections.abc import Callable

from runtime.ways.address import Address
from runtime.ways.piece import Peer, Piece
from runtime.ways.tcp import closed_on_error, family_of

DATAGRAMS_AT_ONCE = 16  # a peer that floods us costs a bounded piece of each look
MAX_BYTES = 65_536
PEER_SILENT_S = 5.0
RENEWED_S = 1.0  # so seldom is a peer's sense asked for: it costs a reading of its message
MAX_PEERS = 8


class UdpWay:
    """``udpout`` to one peer, ``udpin`` back to one, or to all who spoke, and made sense, in the last seconds."""

    def __init__(self, address: Address, makes_sense: Callable[[bytes], bool] = lambda data: True) -> None:
        """Open the socket; raises OSError where that fails."""
        self._makes_sense = makes_sense
        self._heard_s: dict[tuple[str, int], float] = {}  # of each peer
        self._is_out = address.kind == "udpout"
        self._socket = socket.socket(family_of(address), socket.SOCK_DGRAM)
        with closed_on_error(self._socket):
            self._socket.setblocking(False)
            place = address.place, address.number
            self._socket.connect(place) if self._is_out else self._socket.bind(place)

    def wait(self, timeout_s: float) -> None:
        """Wait until a datagram is there, or the time is over."""
        select.select([self._socket], [], [], timeout_s)

    def read(self) -> list[Piece]:
        """Return the datagrams that came, each a piece of its own."""
        got: list[Piece] = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(DATAGRAMS_AT_ONCE):
                try:
                    data, (host, port, *_) = self._socket.recvfrom(MAX_BYTES)
                except ConnectionRefusedError:  # of what was sent before
                    continue
                got.append(Piece(data, (host, port)))
                if not self._is_out:
                    self._hear((host, port), data)
        return got

    def _hear(self, peer: tuple[str, int], data: bytes) -> None:
        now_s = time.monotonic()
        if now_s - self._heard_s.get(peer, -math.inf) < RENEWED_S:
            return
        self._forget_silent()
        if (peer in self._heard_s or len(self._heard_s) < MAX_PEERS) and self._makes_sense(data):
            self._heard_s[peer] = now_s

    def _forget_silent(self) -> None:
        now_s = time.monotonic()
        self._heard_s = {who: at_s for who, at_s in self._heard_s.items() if now_s - at_s < PEER_SILENT_S}

    def write(self, data: bytes, peer: Peer = None) -> None:
        """Send one datagram, or one to each; a full buffer drops it, as the air would."""
        if self._is_out:
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):  # refused: nobody listens yet
                self._socket.send(data)
            return
        self._forget_silent()
        for one in self._heard_s if peer is None else (peer,):
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                self._socket.sendto(data, one)

    def close(self) -> None:
        """Close it; may be called twice."""
        self._socket.close()
