"""A camera's own process, started by :mod:`runtime.cameras.process` alone: no command for people.

A driver that hangs, or that takes its process down with it, does so here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.cameras.mailbox import PictureSlot, SourceFailed
    from runtime.cameras.source import Source

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_WAIT_FOR_SLOT_S = 0.1  # the parent hands slots back at once unless it is starved


class _ParentGoneError(Exception):
    """Nobody listens any more."""


def main() -> None:
    """Read the source that the parent sends until it ends, fails, or the parent has gone."""
    parent_pid, connection_fd, *slot_fds = map(int, sys.argv[2:])
    _die_with(parent_pid)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a service is told to end as a whole: who flies closes the camera
    from runtime.cameras.mailbox import PictureSlot  # NumPy loads here: the parent may die meanwhile

    with Connection(connection_fd) as parent, contextlib.suppress(OSError):  # it has gone: so nobody is to be told
        try:
            source: Source = pickle.loads(parent.recv_bytes())
        except Exception as error:
            parent.send(_failure(error))
        else:
            serve(source, parent, [PictureSlot(fd) for fd in slot_fds])


def serve(source: Source, parent: Connection, slots: Sequence[PictureSlot]) -> None:
    """Open the source, report each picture, and how it ended; raises OSError where the parent has gone."""
    from runtime.cameras.mailbox import SourceEnded, SourceOpened

    try:
        source.open()
        parent.send(SourceOpened())
        _stream(source, parent, slots)
    except EOFError:
        parent.send(SourceEnded())
    except _ParentGoneError:
        pass
    except Exception as error:
        parent.send(_failure(error))
    finally:
        source.close()


def _stream(source: Source, parent: Connection, slots: Sequence[PictureSlot]) -> None:
    from runtime.cameras.mailbox import PictureWritten

    free = list(range(len(slots)))
    number = 0
    while (shot := source.read()) is not None:
        number += 1
        free += _handed_back(parent, 0.0 if free else _WAIT_FOR_SLOT_S)
        if not free:
            continue
        slot = free.pop()
        slots[slot].write(shot.picture)
        parent.send(PictureWritten(number, slot, shot.picture.shape, shot.exposed_at_us, shot.name))
    raise OSError("no picture came")


def _handed_back(parent: Connection, wait_s: float) -> list[int]:
    slots: list[int] = []
    try:
        while parent.poll(0.0 if slots else wait_s):
            slots.append(parent.recv())
    except (EOFError, OSError):
        raise _ParentGoneError from None
    return slots


def _failure(error: Exception) -> SourceFailed:
    from runtime.cameras.mailbox import SourceFailed
    from runtime.errors import SkyfixError

    if isinstance(error, (SkyfixError, OSError)):
        text = getattr(error, "strerror", None) or str(error)
        return SourceFailed(type(error) if isinstance(error, SkyfixError) else OSError, text)
    traceback.print_exc()  # a fault of ours or of a driver's binding: the camera is tried again all the same
    return SourceFailed(OSError, f"{type(error).__name__}: {error}")


def _die_with(parent_pid: int) -> None:
    """Have the kernel end this process with its parent, even while a driver holds the interpreter."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before that
        sys.exit(0)
