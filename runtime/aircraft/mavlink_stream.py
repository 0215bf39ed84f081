"""Messages in a stream of bytes, with whatever else is in it; and bytes of messages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from pymavlink.dialects.v20 import common as mavlink

_PEERS = 8
_DONE_BYTES = 16_384


class MavlinkReader:
    """Takes messages out of bytes, with a parser for each who sends: nobody's garbage swallows another's message."""

    def __init__(self) -> None:
        self._parsers: OrderedDict[Hashable, Any] = OrderedDict()

    def read(self, data: bytes, peer: Hashable = None) -> list[Any]:
        """Return the messages that these bytes complete; never raises, whatever the bytes."""
        parser = self._parsers.pop(peer, None) or _parser()
        self._parsers[peer] = parser
        if len(self._parsers) > _PEERS:
            self._parsers.popitem(last=False)
        try:
            messages = parser.parse_buffer(data) or []
        except Exception:  # of a parser that we did not write, in flight: begin anew with the next bytes
            self._parsers.pop(peer)
            return []
        if parser.buf_index > _DONE_BYTES:  # pymavlink forgets what it has read only when nothing is left over
            parser.buf = parser.buf[parser.buf_index :]
            parser.buf_index = 0
        return [message for message in messages if message.get_type() != "BAD_DATA"]


class MavlinkWriter:
    """Makes bytes of messages, MAVLink 2, counted on as the protocol asks."""

    def __init__(self, component_id: int) -> None:
        self._sender = mavlink.MAVLink(None, srcSystem=1, srcComponent=component_id)

    def packed(self, message: Any, system_id: int) -> bytes:
        """Return a message's bytes, sent as a component of a system."""
        self._sender.srcSystem = system_id
        data = bytes(message.pack(self._sender))
        self._sender.seq = (self._sender.seq + 1) % 256
        return data


def _parser() -> Any:
    parser = mavlink.MAVLink(None)
    parser.robust_parsing = True
    return parser
