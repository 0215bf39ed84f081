"""Ports that are free, and things that come true after a while."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a port that nobody holds now."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def listening(number: int) -> socket.socket:
    """Return a TCP server at a port that another one may just have left."""
    return socket.create_server(("127.0.0.1", number))


def wait_until(
    is_true: Callable[[], object], *, timeout_s: float = 10.0, each: Callable[[], object] = lambda: None
) -> bool:
    """Wait for something to come true, doing something between the looks; return whether it did."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        if is_true():
            return True
        each()
        time.sleep(0.02)
    return bool(is_true())


def wait_for(is_true: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for something that has to come in time."""
    assert wait_until(is_true, timeout_s=timeout_s), "it did not come"
