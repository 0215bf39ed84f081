"""NMEA over wires, and gpsd at the other end."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from runtime.errors import SettingsError
from runtime.link.byte_port import BytePort
from runtime.link.nmea_port import nmea_port
from runtime.ways.address import Address
from tests.runtime.link.saying import nothing_said, said
from tests.waiting import free_port, listening, wait_until

GPSD = shutil.which("gpsd") or shutil.which("gpsd", path="/usr/sbin")


@pytest.mark.skipif(GPSD is None, reason="gpsd is not installed")
@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_gpsd_reads_position_mode_and_time(over: str) -> None:
    number, json_number = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    port = nmea_port(Address("udpout" if over == "udp" else "tcpin", "127.0.0.1", number))
    port.open()
    command = [GPSD or "", "-N", "-n", "-S", str(json_number), f"{over}://127.0.0.1:{number}"]
    with contextlib.closing(port), subprocess.Popen(command, stderr=subprocess.DEVNULL) as gpsd:
        try:
            with _reports(json_number) as reports:
                found = _first(reports, port, mode=3)
                lost = _first(reports, port, mode=1)
        finally:
            gpsd.terminate()
            gpsd.wait(timeout=10)
    assert (found["lat"], found["lon"]) == pytest.approx((47.5123457, 8.2345678), abs=2e-7)
    assert found["altMSL"] == pytest.approx(612.5) and found["speed"] == pytest.approx(5.0, abs=0.01)
    assert found["track"] == pytest.approx(36.87, abs=0.01)
    told = datetime.fromisoformat(found["time"].replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - told).total_seconds()) < 15
    assert "lat" not in lost


@contextlib.contextmanager
def _reports(number: int) -> Iterator[Any]:
    """Watch gpsd's reports, a JSON object a line."""
    sockets: list[socket.socket] = []

    def connects() -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            sockets.append(socket.create_connection(("127.0.0.1", number), timeout=1))
        return bool(sockets)

    assert wait_until(connects)
    with sockets[0] as sock:
        sock.sendall(b'?WATCH={"enable":true,"json":true};\n')
        sock.settimeout(0.3)
        yield sock


def _first(sock: socket.socket, port: BytePort, *, mode: int) -> dict[str, Any]:
    """Speak ten times a second until gpsd reports that mode; return the report."""
    heard = b""
    for _ in range(100):
        port.tick()
        port.send(said() if mode > 1 else nothing_said(time.monotonic_ns() // 1000))
        with contextlib.suppress(TimeoutError):
            heard += sock.recv(65536)
        *lines, heard = heard.split(b"\n")
        for line in lines:
            report = json.loads(line)
            if report["class"] == "TPV" and report["mode"] == mode and (mode == 1 or "time" in report):
                return dict(report)
        time.sleep(0.1)
    raise AssertionError(f"no report of mode {mode}")


def test_a_server_that_comes_back_is_spoken_to_again_after_opening_anew() -> None:
    with listening(0) as server:
        number = server.getsockname()[1]
        port = nmea_port(Address("tcp", "127.0.0.1", number), ("RMC",))
        port.open()
        peer, _ = server.accept()
        peer.close()
    with pytest.raises(OSError):
        wait_until(lambda: False, each=port.tick, timeout_s=5)
    with pytest.raises(OSError):
        port.open()
    with listening(number) as server:
        port.open()
        peer, _ = server.accept()
        port.send(said())
        assert peer.recv(1000).startswith(b"$GPRMC,")
        peer.close()
    port.close()


def test_an_older_moment_is_not_told_after_a_newer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(5)
        port = nmea_port(Address("udpout", *ear.getsockname()), ("GGA",))
        port.open()
        port.send(said(lat=1.0, exposed_at_us=2000, is_carried=True))
        port.send(nothing_said(1000))  # of a frame that took its time
        port.send(said(lat=2.0, exposed_at_us=3000, is_carried=True))
        assert [ear.recv(1000).split(b",")[2] for _ in range(2)] == [b"0100.00000", b"0200.00000"]
        port.close()


def test_a_serial_port_too_slow_for_ten_positions_a_second_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"has 9600 baud.*expected 38400"):
        nmea_port(Address("serial", "/dev/ttyUSB0", 9600))
