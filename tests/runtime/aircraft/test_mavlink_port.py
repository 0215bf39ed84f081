"""Ways to an autopilot: what may be written in the settings, what is said of one that does not open, and bytes."""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.aircraft.mavlink_port import MavlinkUrl, open_port, parse_telemetry, why_not_open
from runtime.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mavlink:udpin:127.0.0.1:14550", MavlinkUrl("udpin", "127.0.0.1", 14550)),
        ("mavlink:udpout:router.local:14550", MavlinkUrl("udpout", "router.local", 14550)),
        ("mavlink:tcp:127.0.0.1:5760", MavlinkUrl("tcp", "127.0.0.1", 5760)),
        ("mavlink:/dev/ttyTHS1:921600", MavlinkUrl("serial", "/dev/ttyTHS1", 921_600)),
        (
            "mavlink:/dev/serial/by-path/usb-0:2.1:1.0-port0:57600",
            MavlinkUrl("serial", "/dev/serial/by-path/usb-0:2.1:1.0-port0", 57_600),
        ),
    ],
)
def test_a_source_is_read(text: str, expected: MavlinkUrl) -> None:
    assert parse_telemetry(text) == expected
    assert f"mavlink:{expected}" == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mavlink",
        "udpin:127.0.0.1:14550",
        "mavlink:udp:127.0.0.1:14550",
        "mavlink:udpin:14550",
        "mavlink:udpin:127.0.0.1:",
        "mavlink:udpin:127.0.0.1:-1",
        "mavlink:udpin:127.0.0.1:0",
        "mavlink:udpin:127.0.0.1:70000",
        "mavlink:/dev/ttyTHS1",
        "mavlink:/dev/ttyTHS1:921601",
        "mavlink:/dev/ttyTHS1:9600000000",
    ],
)
def test_a_source_that_is_none_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_telemetry(text)
    assert repr(text) in str(caught.value)
    assert "expected" in str(caught.value) or "between" in str(caught.value)


@given(st.text(max_size=40) | st.text("mavlink:udpintc/.0123456789", max_size=40))
def test_any_text_is_a_source_or_a_settings_error(text: str) -> None:
    with contextlib.suppress(SettingsError):
        assert parse_telemetry(text).number > 0


SERIAL, UDP = MavlinkUrl("serial", "/dev/ttyTHS1", 921_600), MavlinkUrl("udpin", "127.0.0.1", 14550)


@pytest.mark.parametrize(
    ("url", "number", "mend"),
    [
        (SERIAL, errno.EACCES, "sudo usermod -aG dialout $USER"),
        (SERIAL, errno.ENOENT, "ls /dev/tty*"),
        (SERIAL, errno.EBUSY, "sudo fuser /dev/ttyTHS1"),
        (UDP, errno.EADDRINUSE, "port 14550 is taken"),
        (UDP, errno.EADDRNOTAVAIL, "0.0.0.0"),
        (UDP, errno.ENETDOWN, os.strerror(errno.ENETDOWN)),
    ],
)
def test_a_way_that_does_not_open_is_told_in_one_line_with_the_mend(url: MavlinkUrl, number: int, mend: str) -> None:
    line = why_not_open(url, OSError(number, os.strerror(number)))
    assert line.startswith(f"telemetry {url}: ")
    assert mend in line
    assert "\n" not in line


def test_a_port_that_another_program_has_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        url = MavlinkUrl("udpin", "127.0.0.1", other.getsockname()[1])
        with pytest.raises(OSError) as caught:
            open_port(url)
    assert "is taken by another program" in why_not_open(url, caught.value)


def test_a_device_that_is_missing_or_is_no_serial_port_is_told() -> None:
    for place, word in (("/dev/ttyNothing", "no such device"), ("/dev/null", "no serial port")):
        url = MavlinkUrl("serial", place, 57_600)
        with pytest.raises(OSError) as caught:
            open_port(url)
        assert word in why_not_open(url, caught.value)


def test_a_serial_port_carries_every_byte_both_ways() -> None:
    """A pseudo-terminal: no line discipline may turn a byte into another, nor swallow one."""
    every = bytes(range(256))
    master, slave = pty.openpty()
    try:
        port = open_port(MavlinkUrl("serial", os.ttyname(slave), 921_600))
        try:
            os.write(master, every)
            got = b""
            while len(got) < 256 and (part := port.read(1.0)[0]):
                got += part
            assert got == every
            port.write(every, None)
            assert os.read(master, 1_000) == every
            assert port.read(0.01) == (b"", None)
        finally:
            port.close()
            port.close()
    finally:
        os.close(master)
        os.close(slave)


def test_a_tcp_connection_that_is_closed_is_an_error_and_not_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = open_port(MavlinkUrl("tcp", "127.0.0.1", server.getsockname()[1]))
        other, _ = server.accept()
        other.sendall(b"abc")
        assert port.read(1.0)[0] == b"abc"
        port.write(b"def", None)
        assert other.recv(10) == b"def"
        other.close()
        with pytest.raises(ConnectionError):
            port.read(1.0)
        port.close()
