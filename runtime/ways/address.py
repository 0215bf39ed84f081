"""Where a way leads: ``udpout:HOST:PORT`` and its kin, or ``/dev/ttyTHS1:921600``."""

from __future__ import annotations

import termios
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from runtime.errors import SettingsError

NetKind: TypeAlias = Literal["udpout", "udpin", "tcp", "tcpin"]
WayKind: TypeAlias = Literal["udpout", "udpin", "tcp", "tcpin", "serial"]

BAUDS = "57600, 115200, 230400, 460800, 500000, 921600, 1000000 or 1500000"
"""The usual ones; others that the system knows are taken too."""

FORMS: dict[WayKind, str] = {
    "udpout": "udpout:HOST:PORT",
    "udpin": "udpin:HOST:PORT",
    "tcp": "tcp:HOST:PORT",
    "tcpin": "tcpin:HOST:PORT",
    "serial": "/dev/ttyTHS1:921600",
}


@dataclass(frozen=True, slots=True)
class Address:
    """A url taken apart; ``number`` is a port, or a serial port's baud."""

    kind: WayKind
    place: str
    number: int

    def __str__(self) -> str:
        """Say it as it stands in a settings file."""
        way = f"{self.place}:{self.number}"
        return way if self.kind == "serial" else f"{self.kind}:{way}"


def parse_address(url: str, *, allowed: tuple[WayKind, ...], key: str = "[[link]] url", scheme: str = "") -> Address:
    """Take a url apart; raises SettingsError where it is none of the allowed forms.

    ``scheme`` stands before each of them, ``mavlink:`` before those of telemetry.
    """
    expected = ", ".join(f"{scheme}{FORMS[kind]}" for kind in allowed)
    written, refused = url, SettingsError(f"{key} is {url!r}; expected one of {expected}")
    if not url.startswith(scheme):
        raise refused
    url = url.removeprefix(scheme)
    rest, colon, number = url.rpartition(":")
    if not (colon and rest and number.isascii() and number.isdigit() and len(number) < 9):
        raise refused
    if rest.startswith("/"):
        address = Address("serial", rest, int(number))
        is_good = True
        if not has_baud(number):
            raise SettingsError(f"{key} is {written!r}: no serial port has {number} baud, expected {BAUDS}")
    else:
        kind, _, host = rest.partition(":")
        if kind not in get_args(NetKind) or not is_host(host):
            raise refused
        address = Address(kind, host, int(number))  # type: ignore[arg-type]  # it is one of NetKind
        is_good = 0 < address.number < 65536
    if not is_good or address.kind not in allowed:
        raise refused
    return address


def has_baud(number: str) -> bool:
    """Tell whether a serial port can be so fast, by digits as they stand in a settings file."""
    return number != "0" and hasattr(termios, f"B{number}")  # B0 hangs up


def is_host(text: str) -> bool:
    """Tell whether a text may name a host; whether there is such a one, the network knows."""
    try:
        text.encode("idna")
    except UnicodeError:  # a label that is empty or too long
        return False
    return bool(text) and text.isprintable() and not any(letter.isspace() for letter in text)
