"""Words to systemd: the daemon is ready, alive, or ending.

Source: sd_notify(3): datagrams to the socket that ``$NOTIFY_SOCKET`` names; one that begins with @ is abstract.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping


class ServiceManager:
    """Whoever started the daemon and watches it; nobody, where it was started by hand."""

    def __init__(self, environment: Mapping[str, str], monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """``environment`` holds NOTIFY_SOCKET and WATCHDOG_USEC where systemd set them."""
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog = environment.get("WATCHDOG_USEC", "")
        self._every_s = int(watchdog) / 2e6 if watchdog.isdigit() else None  # half of what it waits
        self._monotonic_s, self._fed_s, self._is_ready = monotonic_s, -1e9, False

    def ready(self) -> None:
        """Say once that the daemon is up."""
        if not self._is_ready:
            self._is_ready = True
            self._say("READY=1")

    def alive(self, status: Callable[[], str]) -> None:
        """Feed the watchdog when that is due, with a line for ``systemctl status``; cheap otherwise."""
        now_s = self._monotonic_s()
        if now_s - self._fed_s >= min(self._every_s or 5.0, 5.0):
            self._fed_s = now_s
            self._say(f"WATCHDOG=1\nSTATUS={' '.join(status().split())}")

    def stopping(self) -> None:
        """Say that the daemon ends."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
                one.setblocking(False)
                one.sendto(text.encode(), self._address)
        except OSError:
            pass  # systemd's own time-out tells of a word that was lost; the flight goes on
