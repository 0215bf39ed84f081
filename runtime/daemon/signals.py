"""Signals: SIGTERM and Ctrl-C ask to end, SIGHUP asks to read the configuration again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable


class Signals:
    """What was asked by signals; the frame in hand is finished first."""

    def __init__(self) -> None:
        self._ends = self._reads_again = False
        self.idle: Callable[[], None] = lambda: None
        """Called ten times a second while the daemon waits."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, self._read_again)

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to end; unlike :meth:`ended` this does nothing else."""
        return self._ends

    def ended(self) -> bool:
        """Tell whether the daemon is to end; whoever waits asks again and again."""
        self.idle()
        return self._ends

    def reads_again(self) -> bool:
        """Tell, once, whether the configuration is to be read again."""
        asked, self._reads_again = self._reads_again, False
        return asked

    def sleep(self, seconds: float) -> None:
        """Sleep so long, or until a signal asks to end: ``time.sleep`` would go on after it."""
        until = time.monotonic() + seconds
        while not self.ended() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def end(self) -> None:
        """Ask to end."""
        self._ends = True

    def _end(self, number: int, frame: object) -> None:
        self.end()

    def _read_again(self, number: int, frame: object) -> None:
        self._reads_again = True
