"""Ten times a second: where the drone is between two frames, sent to whoever expects a steady stream.

It lives in a thread of its own, as a frame that is lost may take longer than an autopilot waits for its next position.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from runtime.fix import Doubt
from runtime.link.link import Said, Velocity
from runtime.locate.outlook import Outlook

logger = logging.getLogger(__name__)

PERIOD_S = 0.1
"""An autopilot's GPS driver takes gaps up to 0.245 s for healthy (ArduPilot, GPS_INPUT)."""


@dataclass(frozen=True, slots=True)
class Newest:
    """What the newest frame left: the outlook, and how its times lie on this computer's clock."""

    outlook: Outlook
    offset_us: int
    """From the frames' times to the monotonic clock: 0 for a live camera."""
    doubts: tuple[Doubt, ...] = ()
    """Of the daemon's own, beside the localizer's."""


def carried(newest: Newest, now_us: int, velocity_en_mps: tuple[float, float]) -> Said:
    """Say where the drone is now, by motion since the newest frame; what is told of its velocity may be NaN."""
    verdict = newest.outlook.at(now_us - newest.offset_us, velocity_en_mps).doubting(newest.doubts)
    return Said(verdict, now_us, is_carried=True, velocity=velocity_of(newest.outlook))


def velocity_of(outlook: Outlook) -> Velocity | None:
    """Return how fast the drone flies, as it is believed."""
    known = outlook.velocity()
    return None if known is None else Velocity(*known)


class Ticker:
    """Sends what :func:`carried` says, every tenth of a second, once there was a frame."""

    def __init__(
        self, send: Callable[[Said], None], now_us: Callable[[], int], velocity: Callable[[], tuple[float, float]]
    ) -> None:
        """``velocity`` returns the newest velocity that the aircraft tells, east and north, m/s; NaN without one."""
        self._send, self._now_us, self._velocity = send, now_us, velocity
        self.newest: Newest | None = None
        """Put there after each frame."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        """Begin to send, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sending; the thread ends within a second."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stopped.wait(max(due_s - time.monotonic(), 0.0)):
            due_s = max(due_s + PERIOD_S, time.monotonic())
            newest = self.newest
            if newest is not None:
                try:
                    self._send(carried(newest, self._now_us(), self._velocity()))
                except Exception:  # an autopilot that gets nothing ever again is worse than one moment left out
                    logger.exception("a moment after the newest frame is left out")
                    self.newest = None if self.newest is newest else self.newest
