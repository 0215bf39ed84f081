"""Urls of links: taken apart, or refused with what was expected."""

from __future__ import annotations

from typing import get_args

import pytest

from runtime.errors import SettingsError
from runtime.ways.address import Address, WayKind, parse_address

ALL = get_args(WayKind)


@pytest.mark.parametrize(
    "address",
    [
        Address("udpout", "127.0.0.1", 14551),
        Address("tcpin", "::1", 5760),
        Address("tcp", "autopilot.local", 1),
        Address("serial", "/dev/ttyTHS1", 921600),
    ],
)
def test_an_address_is_read_as_it_is_written(address: Address) -> None:
    assert parse_address(str(address), allowed=ALL) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "udp:127.0.0.1:1",
        "udpout:127.0.0.1",
        "tcp::80",
        "tcp:h:65536",
        "tcp:h:0",
        "/dev/ttyTHS1",
        "tcp:h:²",
        "tcp:a..b:1",
        "tcp:a b:1",
        "tcp:a\0b:1",
        "tcp:" + "a" * 64 + ":1",
        "tcp:h:" + "1" * 5000,
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"\[\[link\]\] url is '.*'; expected one of udpout:HOST:PORT, .*921600"):
        parse_address(url, allowed=ALL)


def test_a_way_that_this_link_has_not_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"expected one of tcp:HOST:PORT$"):
        parse_address("udpout:h:1", allowed=("tcp",))


@pytest.mark.parametrize("baud", ["0", "12345", "9216000"])
def test_a_speed_that_no_serial_port_has_is_refused(baud: str) -> None:
    with pytest.raises(SettingsError, match=f"no serial port has {baud} baud, expected 57600, .* 921600"):
        parse_address(f"/dev/ttyTHS1:{baud}", allowed=ALL)
