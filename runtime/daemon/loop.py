"""The daemon's loop: a frame is located, counted, sent and remembered; then the next one.

:meth:`Loop.step` takes one frame; :meth:`Loop.fly` is only the ``for``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from runtime.daemon.frames import FrameStream
from runtime.daemon.keep import StateKeeper
from runtime.daemon.notify import ServiceManager
from runtime.daemon.ticker import Newest, Ticker, velocity_of
from runtime.fix import Doubt, Fix, Verdict
from runtime.frame import Frame
from runtime.link.fanout import Fanout
from runtime.link.link import Notice, Said
from runtime.locate.localizer import Localizer
from runtime.start import Start
from runtime.watch.doubts import DoubtTeller
from runtime.watch.health import Health

logger = logging.getLogger(__name__)


class Watch(Protocol):
    """Looks at each verdict, and may doubt something or have a word for the pilot."""

    def look(self, verdict: Verdict, exposed_at_us: int) -> tuple[tuple[Doubt, ...], Notice | None]: ...


@dataclass
class Loop:
    """What one frame passes through."""

    localizer: Localizer
    outbox: Fanout
    """Where verdicts and words to the pilot go; another one after SIGHUP."""
    now_us: Callable[[], int]
    health: Health = field(default_factory=Health)
    teller: DoubtTeller = field(default_factory=DoubtTeller)
    manager: ServiceManager = field(default_factory=lambda: ServiceManager({}))
    ticker: Ticker | None = None
    keeper: StateKeeper | None = None
    watches: tuple[Watch, ...] = ()
    starts: Callable[[], Start | None] = lambda: None
    """Where an operator, or GNSS at take-off, says that the drone is; once for each time that it is said."""

    def fly(self, stream: FrameStream, stopped: Callable[[], bool]) -> None:
        """Take frames until there are no more, or it is to end."""
        for frame in stream.frames:
            if stopped():  # also a frame that came early, as a signal ended the wait for it
                break
            self.step(frame, stream.offset_us(frame))
            self.alive()
            if stopped():
                break

    def alive(self) -> None:
        """Tell whoever watches that the loop goes on, also while it waits for a frame."""
        self.manager.alive(lambda: str(self.health))

    def step(self, frame: Frame, offset_us: int) -> Verdict:
        """Locate one frame, send the verdict at once, and remember what the flight has taught.

        ``offset_us`` leads from the frame's time to this computer's monotonic clock.
        """
        was_well = self.health.well
        start = self.starts()
        if start is not None:
            logger.info("the drone is said to be within %.0f m of %.6f,%.6f", start.radius_m, *start.place)
            self.localizer.forget(start)
        verdict = self.localizer.step(frame)
        outlook = self.localizer.outlook
        exposed_at_us = frame.t_us + offset_us
        doubts = self._watched(verdict, exposed_at_us)
        verdict = verdict.doubting(doubts)
        self.health.count(verdict)
        self.outbox.put(Said(verdict, exposed_at_us, velocity=velocity_of(outlook)))
        if self.ticker is not None:
            self.ticker.newest = Newest(outlook, offset_us, doubts)
        if self.keeper is not None:
            self.keeper.keep(outlook.state, self.now_us())
        self.manager.ready()
        self._tell_doubts(verdict)
        self._tell_turn(was_well, verdict)
        return verdict

    def _watched(self, verdict: Verdict, exposed_at_us: int) -> tuple[Doubt, ...]:
        doubts: list[Doubt] = []
        for watch in self.watches:
            more, notice = watch.look(verdict, exposed_at_us)
            doubts += more
            if notice is not None:
                logger.warning("%s", notice.text)
                self.outbox.notify(notice)
        return tuple(doubts)

    def _tell_doubts(self, verdict: Verdict) -> None:
        for text in self.teller.look(verdict):
            logger.warning("%s", text)
            self.outbox.notify(Notice("warning", text))

    def _tell_turn(self, was_well: bool, verdict: Verdict) -> None:
        """Tell a turn for the worse or the better, once."""
        if was_well and not self.health.well:
            logger.warning("most frames give no fix (%s)", self.health)
            why = verdict.source.replace("_", " ") if isinstance(verdict, Fix) else verdict.reason.replace("_", " ")
            self.outbox.notify(Notice("warning", f"visual position lost: {why}"))
        elif self.health.well and not was_well:
            logger.info("fixes are back (%s)", self.health)
            self.outbox.notify(Notice("info", "visual position is back"))
