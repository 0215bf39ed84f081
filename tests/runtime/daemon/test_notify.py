"""Words to systemd, over a real socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runtime.daemon.notify import ServiceManager


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_hears_ready_once_alive_when_due_and_stopping(*, is_abstract: bool, tmp_path: Path) -> None:
    address = f"@skyfix-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + address[1:] if is_abstract else address)
        systemd.settimeout(1.0)
        clock = iter([0.0, 1.0, 3.0, 3.5])
        manager = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000"}, lambda: next(clock))
        manager.ready()
        manager.ready()
        for _ in range(4):
            manager.alive(lambda: "registration 3\nno_match 1")
        manager.stopping()
        heard = [systemd.recv(1000).decode() for _ in range(4)]
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(1000)
    fed = "WATCHDOG=1\nSTATUS=registration 3 no_match 1"
    assert heard == ["READY=1", fed, fed, "STOPPING=1"]


def test_started_by_hand_nobody_is_told_and_nothing_fails(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "soon"}):
        manager = ServiceManager(environment)
        manager.ready()
        manager.alive(lambda: "")
        manager.stopping()
    assert list(tmp_path.iterdir()) == [], "nothing was made where nobody listens"
