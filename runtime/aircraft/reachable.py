"""What may be the name of a host, and the speed of a serial port, before either is opened."""

from __future__ import annotations

import termios

BAUDS = "57600, 115200, 230400, 460800, 500000, 921600, 1000000 or 1500000"
"""The usual ones; others that the system knows are taken too."""


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
