"""What is said of a way that does not open."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from runtime.ways.address import Address
from runtime.ways.trouble import why_not_open
from runtime.ways.way import open_way

SERIAL, UDP = Address("serial", "/dev/ttyTHS1", 921_600), Address("udpin", "127.0.0.1", 14550)


@pytest.mark.parametrize(
    ("address", "number", "mend"),
    [
        (SERIAL, errno.EACCES, "sudo usermod -aG dialout $USER"),
        (SERIAL, errno.ENOENT, "ls /dev/tty*"),
        (SERIAL, errno.EBUSY, "sudo fuser /dev/ttyTHS1"),
        (UDP, errno.EACCES, "take one above 1023"),
        (UDP, errno.EADDRINUSE, "port 14550 is taken"),
        (UDP, errno.EADDRNOTAVAIL, "0.0.0.0"),
        (UDP, errno.ENETDOWN, os.strerror(errno.ENETDOWN)),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_the_mend(address: Address, number: int, mend: str) -> None:
    line = why_not_open(address, OSError(number, os.strerror(number)))
    assert mend in line
    assert "\n" not in line


@pytest.mark.parametrize("kind", ["udpin", "tcpin"])
def test_a_port_that_another_program_has_is_told(kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udpin" else socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", 0))
        other.listen() if kind == "tcpin" else None
        with pytest.raises(OSError, match="is taken by another program"):
            open_way(Address(kind, "127.0.0.1", other.getsockname()[1]))


@pytest.mark.parametrize(("device", "said"), [("/dev/ttyNothing", "is it plugged in"), ("/dev/null", "no serial port")])
def test_a_device_that_is_missing_or_is_no_serial_port_is_told(device: str, said: str) -> None:
    with pytest.raises(OSError, match=said):
        open_way(Address("serial", device, 57_600))


def test_a_serial_port_that_another_program_has_is_told() -> None:
    ours, theirs = os.openpty()
    way = open_way(Address("serial", os.ttyname(theirs), 57_600))
    with pytest.raises(OSError, match="is taken by another program: find it with sudo fuser"):
        open_way(Address("serial", os.ttyname(theirs), 57_600))
    way.close()
    os.close(ours)
    os.close(theirs)


def test_a_host_that_nobody_knows_is_told() -> None:
    with pytest.raises(OSError, match=r"host nobody\.invalid is unknown"):
        open_way(Address("udpout", "nobody.invalid", 14550))
