"""Verdicts and notices to all links at once, each in a thread of its own: a slow one delays nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from runtime.link.link import Link, Notice, Said
from runtime.link.worker import LinkState, LinkWorker

OPEN_S = 2.0
CLOSE_S = 1.0


class Fanout:
    """All links of a flight.

    ``lossless`` is for recordings that are flown faster than real time: ``put`` waits until every open link has taken
    the verdict before, so that each is written. In flight it never waits, and the newest verdict wins.
    """

    def __init__(
        self,
        links: Sequence[Link],
        *,
        lossless: bool = False,
        hurries: Callable[[], bool] = lambda: False,
        is_patient: bool = False,
    ) -> None:
        """``hurries`` is asked while ``put`` waits: when it tells that the flight is to end, nothing is waited for.

        ``is_patient``: none is refused; all were open before.
        """
        self._workers = [LinkWorker(link, lossless=lossless, hurries=hurries, is_patient=is_patient) for link in links]

    def start(self) -> None:
        """Open all links; raises SettingsError for one that can never be opened, with all closed again.

        One that cannot be opened now, or is slow to open, is tried further behind the caller's back.
        """
        end_s = time.monotonic() + OPEN_S
        for worker in self._workers:
            worker.start()
        for worker in self._workers:
            worker.wait_tried(end_s - time.monotonic())
        refused = [worker.refused for worker in self._workers if worker.refused is not None]
        if refused:
            self.close()
            raise refused[0]

    @property
    def wants_carried(self) -> bool:
        """Whether any link wants the moments between frames."""
        return any(worker.wants_carried for worker in self._workers)

    def put(self, said: Said) -> None:
        """Tell a verdict to all who want it."""
        for worker in self._workers:
            worker.put(said)

    def notify(self, notice: Notice) -> None:
        """Tell a notice to all."""
        for worker in self._workers:
            worker.notify(notice)

    def states(self) -> tuple[LinkState, ...]:
        """Return how each link is doing, for the status page."""
        return tuple(worker.state() for worker in self._workers)

    def drain(self, timeout_s: float) -> bool:
        """Wait until all that was put has left; return whether it has, on every link, within the time."""
        end_s = time.monotonic() + timeout_s
        return all(worker.wait_empty(end_s - time.monotonic()) for worker in self._workers)

    def close(self) -> None:
        """Close all links, within a second: one that hangs is left to its thread, which ends with the program."""
        end_s = time.monotonic() + CLOSE_S
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.join(end_s - time.monotonic())
