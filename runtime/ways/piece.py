"""Bytes that came in, and from whom."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

WAIT_S = 0.1
"""The longest that a way makes its caller wait."""

Peer: TypeAlias = "tuple[str, int] | None"
"""Who sent a datagram; None where there is one other end, or nobody in particular."""


class Piece(NamedTuple):
    """What one look brought."""

    data: bytes
    peer: Peer = None
