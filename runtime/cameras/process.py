"""A camera's process as its parent sees it: started, listened to, killed."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from multiprocessing import Pipe
from pathlib import Path

from runtime.cameras.mailbox import SLOTS, PictureSlot, Report
from runtime.types import Picture

logger = logging.getLogger(__name__)

_LEAVE_S = 0.4  # to close a driver in good order, which some need to be opened again
_DIE_S = 0.4
_CHILD = "import os, sys; sys.path[:] = sys.argv[1].split(os.pathsep); from runtime.cameras.child import main; main()"


class CaptureProcess:
    """One run of a source; a new one is made for the next run. Start it from a thread that lives as long as it does.

    (The kernel ends a process with the *thread* that started it.)
    """

    def __init__(self, source: bytes) -> None:
        """Start it with a pickled source; raises OSError where the system has no more processes, files or memory."""
        self._slots: list[PictureSlot] = []
        self._connection, theirs = Pipe()
        self._sending = threading.Lock()  # slots are handed back by whoever took the picture
        try:
            with theirs:
                self._slots += (PictureSlot.create() for _ in range(SLOTS))
                self._process = _start([theirs.fileno(), *(slot.fd for slot in self._slots)])
        except OSError:
            self._release()
            raise
        with contextlib.suppress(OSError):  # it has died already, which the next report tells
            self._connection.send_bytes(source)

    @property
    def pid(self) -> int:
        return self._process.pid

    def report(self, timeout_s: float) -> Report | None:
        """Wait for the next report; None where none came. Raises EOFError where the process has gone."""
        try:
            if not self._connection.poll(timeout_s):
                return None
            report: Report = self._connection.recv()
        except OSError:
            raise EOFError from None
        return report

    def view(self, slot: int, shape: tuple[int, ...]) -> Picture:
        """Return the picture in a slot that was handed over, without a copy."""
        return self._slots[slot].view(shape)

    def hand_back(self, slot: int) -> None:
        """Give a slot back to the process, which will write into it."""
        with self._sending, contextlib.suppress(OSError):  # it has gone, and the slot with it
            self._connection.send(slot)

    def death(self) -> str:
        """Say how it died, for people; call it once :meth:`report` has raised EOFError."""
        try:
            code = self._process.wait(_DIE_S)
        except subprocess.TimeoutExpired:
            return "its process hung up"
        return f"its process was ended by signal {-code}" if code < 0 else f"its process ended with exit code {code}"

    def end(self, *, politely: bool) -> None:
        """End it, within a second: asked to first, or at once where it hangs. May be called twice."""
        self._release()
        if politely:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LEAVE_S)
        if self._process.poll() is None:
            self._process.kill()
            try:
                self._process.wait(_DIE_S)
            except subprocess.TimeoutExpired:  # asleep in the kernel: it goes when its driver wakes up
                logger.warning("process %d of a camera does not die; its driver hangs in the kernel", self.pid)

    def _release(self) -> None:
        """Close our ends of what is shared: so the process learns that it is to leave."""
        with self._sending:
            self._connection.close()
        while self._slots:
            self._slots.pop().close()


def _start(fds: list[int]) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)  # no more and no less than we import from
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, paths, str(os.getpid()), *map(str, fds)],
        stdin=subprocess.DEVNULL,
        stdout=2,  # drivers print to standard output, where the fixes go
        pass_fds=fds,
        start_new_session=True,  # Ctrl-C is the parent's to take
    )
