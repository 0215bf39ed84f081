"""MSP to iNav over a serial port or TCP (its simulator)."""

from __future__ import annotations

from runtime.link.byte_port import BytePort
from runtime.link.msp import sensor_gps
from runtime.link.wire import UtcOfMonotonic
from runtime.ways.address import Address


def msp_port(address: Address, *, utc: UtcOfMonotonic | None = None) -> BytePort:
    """Return a link to a flight controller that speaks MSP; it has to be set to ``gps_provider = MSP``."""
    return BytePort("msp", address, sensor_gps, utc=utc)
