"""A serial port, 8N1 without flow control, ours alone."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import termios

import serial

from runtime.ways.address import Address
from runtime.ways.piece import WAIT_S, Peer, Piece

BYTES_AT_ONCE = 16_384


class SerialWay:
    """A serial port."""

    def __init__(self, address: Address) -> None:
        """Open the port; raises OSError where that fails."""
        try:
            self._port = serial.Serial(
                address.place, address.number, timeout=0, write_timeout=WAIT_S, exclusive=True
            )  # fmt: skip
            fcntl.ioctl(self._port.fileno(), termios.TIOCEXCL)  # also for programs that know no locks
        except ValueError as error:  # a speed that the driver has not
            raise OSError(errno.EINVAL, str(error)) from None
        except OSError as error:
            raise _numbered(error) from None

    def wait(self, timeout_s: float) -> None:
        """Wait until there is something to read, or the time is over."""
        select.select([self._port], [], [], timeout_s)

    def read(self) -> list[Piece]:
        """Return what came in; raises OSError where the adapter was pulled out."""
        data = bytes(self._port.read(BYTES_AT_ONCE))
        return [Piece(data)] if data else []

    def write(self, data: bytes, peer: Peer = None) -> None:
        """Send; raises TimeoutError where the line takes the bytes too slowly."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            raise TimeoutError(errno.ETIMEDOUT, "the serial line takes the bytes too slowly") from None

    def close(self) -> None:
        """Close it; may be called twice."""
        self._port.close()


def _numbered(error: OSError) -> OSError:
    """Return an error with its number: pyserial loses that of a device that is no serial port."""
    cause = error.__context__
    if error.errno is None and isinstance(cause, termios.error):
        return OSError(cause.args[0], os.strerror(cause.args[0]))
    return error
