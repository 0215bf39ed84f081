"""What a way for bytes is, and how one is opened from its address.

No way makes its caller wait longer than a tenth of a second, unless it is asked to. Any of them may raise OSError from
``read`` and ``write``: it is then to be closed and opened anew. One thread may read while another writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from runtime.ways.address import Address
from runtime.ways.piece import Peer, Piece
from runtime.ways.serial_port import SerialWay
from runtime.ways.tcp import TcpServerWay, TcpWay
from runtime.ways.trouble import why_not_open
from runtime.ways.udp import UdpWay


class Way(Protocol):
    """Bytes out and bytes in."""

    def wait(self, timeout_s: float) -> None:
        """Wait until there is something to read, or the time is over."""

    def read(self) -> list[Piece]:
        """Return what came in since, a bounded part of it. Raises OSError where the way is broken."""

    def write(self, data: bytes, peer: Peer = None) -> None:
        """Send to one peer, or to all; what nobody listens to is dropped. Raises OSError where the way is broken."""

    def close(self) -> None:
        """Close it; may be called twice."""


def open_way(address: Address, makes_sense: Callable[[bytes], bool] = lambda data: True) -> Way:
    """Open a way; raises OSError whose ``strerror`` says in a line what is wrong and what mends it.

    ``makes_sense`` tells whether a datagram is of the kind that is spoken: who sends others is no peer.
    """
    try:
        if address.kind == "serial":
            return SerialWay(address)
        if address.kind == "tcp":
            return TcpWay(address)
        if address.kind == "tcpin":
            return TcpServerWay(address)
        return UdpWay(address, makes_sense)
    except OSError as error:
        raise type(error)(error.errno, why_not_open(address, error)) from None
