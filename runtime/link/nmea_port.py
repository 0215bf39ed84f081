"""NMEA 0183 over a serial port, UDP or TCP: autopilots, gpsd, chart programs."""

from __future__ import annotations

from runtime.errors import SettingsError
from runtime.link.byte_port import BytePort
from runtime.link.nmea import DEFAULT_SENTENCES, sentences
from runtime.link.wire import UtcOfMonotonic
from runtime.ways.address import Address

MIN_BAUD = 38400
"""Ten times a second some 300 characters of ten bits, and a quarter to spare."""


def nmea_port(
    address: Address, wanted: tuple[str, ...] = DEFAULT_SENTENCES, *, utc: UtcOfMonotonic | None = None
) -> BytePort:
    """Return a link to whoever reads NMEA; raises SettingsError for a serial port that is too slow."""
    if address.kind == "serial" and address.number < MIN_BAUD:
        raise SettingsError(
            f"[[link]] url {address} has {address.number} baud; ten positions a second: expected {MIN_BAUD} or more"
        )
    return BytePort("nmea", address, lambda said, utc_us: sentences(said, utc_us, wanted), utc=utc)
