"""Bytes over TCP and serial ports: who goes away, who is slow, what may not be opened."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path

import pytest
import serial

from runtime.errors import SettingsError
from runtime.link import ways
from runtime.link.address import Address
from runtime.link.ways import open_way
from tests.waiting import free_port, wait_until


def _server(number: int) -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", number))
    server.listen()
    return server


def test_a_server_that_went_away_is_an_error_and_one_that_came_back_is_spoken_to() -> None:
    number = free_port(socket.SOCK_STREAM)
    address = Address("tcp", "127.0.0.1", number)
    with pytest.raises(ConnectionRefusedError):
        open_way(address)
    with _server(number) as server:
        way = open_way(address)
        peer, _ = server.accept()
        way.write(b"one")
        assert peer.recv(10) == b"one"
        assert way.read() == []  # it is silent, which is no error
        peer.sendall(b"back")
        got: list[bytes] = []
        assert wait_until(lambda: got == [b"back"], each=lambda: got.extend(way.read()))
        peer.close()
    with pytest.raises(OSError):
        wait_until(lambda: False, each=way.read, timeout_s=5)
    way.close()
    with _server(number) as server:
        way = open_way(address)
        peer, _ = server.accept()
        way.write(b"two")
        assert peer.recv(10) == b"two"
        peer.close()
        way.close()


def test_a_server_that_does_not_read_is_an_error_within_a_moment() -> None:
    number = free_port(socket.SOCK_STREAM)
    with _server(number) as server:
        way = open_way(Address("tcp", "127.0.0.1", number))
        peer, _ = server.accept()
        began_s = time.monotonic()
        with pytest.raises(TimeoutError):
            way.write(b"x" * 50_000_000)
        assert time.monotonic() - began_s < 2.0
        way.close()
        peer.close()


def test_all_who_connect_are_told_and_who_is_slow_is_dropped() -> None:
    number = free_port(socket.SOCK_STREAM)
    way = open_way(Address("tcpin", "127.0.0.1", number))
    with pytest.raises(SettingsError, match="taken"):
        open_way(Address("tcpin", "127.0.0.1", number))
    with (
        socket.create_connection(("127.0.0.1", number)) as quick,
        socket.create_connection(("127.0.0.1", number)) as slow,
    ):
        way.read()
        line = b"x" * 9_999 + b"\n"
        read = 0
        for _ in range(3000):
            way.write(line)
            while read % len(line) or not read:
                read += len(quick.recv(len(line) - read % len(line)))
            read = 0
        way.write(b"end\n")
        assert quick.recv(10) == b"end\n"
        slow.settimeout(5)
        got = b"".join(iter(lambda: slow.recv(1 << 20), b""))  # until it is closed
        assert 0 < len(got) < 3000 * len(line)
    way.close()
    way.close()


def test_a_serial_port_carries_bytes_both_ways() -> None:
    ours, theirs = os.openpty()
    way = open_way(Address("serial", os.ttyname(theirs), 115200))
    way.write(b"there")
    assert os.read(ours, 10) == b"there"
    os.write(ours, b"back\n")
    got: list[bytes] = []
    assert wait_until(lambda: b"".join(got) == b"back\n", each=lambda: got.extend(way.read()))
    way.close()
    os.close(ours)
    os.close(theirs)


def test_a_serial_port_that_may_not_be_opened_says_which_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    port = tmp_path / "ttyTHS1"
    with pytest.raises(FileNotFoundError, match=r"there is no .*ttyTHS1: is it plugged in"):
        open_way(Address("serial", str(port), 921600))
    port.touch(mode=0)
    if os.access(port, os.R_OK):  # root reads all: refuse it as the system would

        def refused(*_: object, **__: object) -> None:
            raise serial.SerialException(13, "could not open port: Permission denied")

        monkeypatch.setattr(ways.serial, "Serial", refused)
    assert stat.S_IMODE(port.stat().st_mode) == 0
    with pytest.raises(SettingsError, match=r"sudo usermod -aG dialout \$USER"):
        open_way(Address("serial", str(port), 921600))
