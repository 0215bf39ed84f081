"""What is wrong with a way that does not open, in words that say what mends it."""

from __future__ import annotations

import errno
import socket

from runtime.ways.address import Address

NEVER_MENDS_ITSELF = frozenset((errno.EACCES, errno.EPERM, errno.EADDRINUSE, errno.EBUSY, errno.EAGAIN, errno.ENOTTY))
"""A person has to do something before such a way opens."""


def why_not_open(address: Address, error: OSError) -> str:
    """Say in one line what is wrong, and what mends it."""
    if isinstance(error, socket.gaierror):
        return f"host {address.place} is unknown"
    told = (_of_serial_port if address.kind == "serial" else _of_network)(address).get(error.errno or 0)
    return told or error.strerror or str(error)


def _of_serial_port(address: Address) -> dict[int, str]:
    device = address.place
    denied = f"{device} may not be opened by this user: sudo usermod -aG dialout $USER, and log in again"
    taken = f"{device} is taken by another program: find it with sudo fuser {device}, and stop it"
    return {
        errno.EACCES: denied,
        errno.EPERM: denied,
        errno.EBUSY: taken,
        errno.EAGAIN: taken,  # its lock is
        errno.ENOENT: f"there is no {device}: is it plugged in? ls /dev/tty*",
        errno.ENOTTY: f"{device} is no serial port",
    }


def _of_network(address: Address) -> dict[int, str]:
    port = address.number
    return {
        errno.EACCES: f"port {port} may not be opened by this user: take one above 1023",
        errno.EADDRINUSE: f"port {port} is taken by another program, a ground station or a second daemon: "
        f"see who has it with ss -tulpn 'sport = {port}', and stop it or take a free port",
        errno.ECONNREFUSED: "nobody listens there: start the router or the simulator, or check host and port",
        errno.EADDRNOTAVAIL: f"{address.place} is no address of this computer: ip addr; 0.0.0.0 is all of them",
    }
