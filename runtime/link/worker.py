"""One link in its thread: opened, fed, opened anew after it broke."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from runtime.errors import SettingsError
from runtime.link.link import Link, Notice, Said

log = logging.getLogger(__name__)

TICK_S = 0.1
FIRST_BACK_OFF_S = 0.5
LAST_BACK_OFF_S = 10.0
MAX_NOTICES = 16


@dataclass(frozen=True, slots=True)
class LinkState:
    """How a link is doing."""

    name: str
    is_open: bool
    sent: int
    overtaken: int  # verdicts that a newer one took the place of
    notices_lost: int
    failures: int  # times it broke or could not be opened
    trouble: str  # why it is not open, or empty
    is_unread: bool = False  # the last verdict found the pipe's reader gone


class LinkWorker:
    """Feeds a link from a slot for the newest frame's verdict, one for the newest moment between, and a few notices.

    A moment never overtakes a frame: a link may want them for different messages.
    """

    def __init__(
        self, link: Link, *, lossless: bool, hurries: Callable[[], bool] = lambda: False, is_patient: bool = False
    ) -> None:
        """``hurries`` tells that nothing is to be waited for any more: the flight is to end.

        ``is_patient`` tries also what can never be opened again and again: it was open once.
        """
        self._link = link
        self._lossless, self._hurries, self._is_patient = lossless, hurries, is_patient
        self._slots: dict[bool, Said] = {}  # by is_carried, in the order they came
        self._notices: deque[Notice] = deque()
        self._change = threading.Condition()
        self._is_stopping = self._is_open = self._is_busy = self._was_tried = False
        self._sent = self._overtaken = self._notices_lost = self._failures = 0
        self._trouble = self._told = ""
        self._is_unread = False
        self._back_off_s = FIRST_BACK_OFF_S
        self._thread = threading.Thread(target=self._run, name=link.name, daemon=True)
        self.refused: SettingsError | None = None
        """Why it can never be opened, where the first try said so."""

    @property
    def wants_carried(self) -> bool:
        """Whether its link wants the moments between frames."""
        return self._link.wants_carried

    def start(self) -> None:
        """Begin to open it."""
        self._thread.start()

    def put(self, said: Said) -> None:
        """Leave a verdict; waits for its turn where none may be lost and the link is open."""
        if said.is_carried and not self._link.wants_carried:
            return
        with self._change:
            while self._lossless and self._is_open and said.is_carried in self._slots and not self._is_stopping:
                if self._hurries():
                    break
                self._change.wait(TICK_S)
            self._overtaken += self._slots.pop(said.is_carried, None) is not None
            self._slots[said.is_carried] = said
            self._change.notify_all()

    def notify(self, notice: Notice) -> None:
        """Leave a notice; of too many the oldest is dropped."""
        with self._change:
            if len(self._notices) == MAX_NOTICES:
                self._notices.popleft()
                self._notices_lost += 1
            self._notices.append(notice)
            self._change.notify_all()

    def state(self) -> LinkState:
        """Return how it is doing."""
        with self._change:
            return LinkState(
                self._link.name,
                self._is_open,
                self._sent,
                self._overtaken,
                self._notices_lost,
                self._failures,
                self._trouble,
                self._is_unread,
            )

    def wait_tried(self, timeout_s: float) -> None:
        """Wait until it was opened, or could not be."""
        self._wait(lambda: self._was_tried, timeout_s)

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until all that was put has left; return whether it has."""
        return self._wait(lambda: not (self._slots or self._notices or self._is_busy), timeout_s)

    def stop(self) -> None:
        """Ask the thread to close the link and end."""
        with self._change:
            self._is_stopping = True
            self._change.notify_all()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end."""
        if self._thread.is_alive():
            self._thread.join(max(timeout_s, 0.0))

    def _wait(self, is_true: Callable[[], bool], timeout_s: float) -> bool:
        with self._change:
            return self._change.wait_for(is_true, max(timeout_s, 0.0))

    def _run(self) -> None:
        """Open the link, feed it until it breaks, and so on until the end; a bug in it is one more way to break."""
        while not self._is_stopping:
            try:
                self._link.open()
                self._note_open()
                self._feed()
            except SettingsError as error:
                if not (self._was_tried or self._is_patient):
                    self.refused = error
                    self._note_broken(error)
                    return
                self._note_broken(error)  # it could be opened once, so it may be again
            except OSError as error:
                self._note_broken(error)
            except Exception as error:
                log.exception("%s has failed", self._link.name)
                self._note_broken(error)
            self._close()
            self._wait(lambda: self._is_stopping, self._back_off_s)
            self._back_off_s = min(self._back_off_s * 2, LAST_BACK_OFF_S)

    def _feed(self) -> None:
        """Send what comes and tick in between, until the end; raises what the link raises."""
        opened_s = tick_s = time.monotonic()
        while not self._is_stopping:
            now_s = time.monotonic()
            if now_s >= tick_s:
                self._link.tick()
                tick_s = now_s + TICK_S
                if now_s - opened_s > LAST_BACK_OFF_S:
                    self._note_well()
            if self._wait(lambda: bool(self._slots or self._notices or self._is_stopping), tick_s - now_s):
                self._send_next()

    def _send_next(self) -> None:
        """Send a notice or a verdict; a verdict that may not be lost stays in its slot until it has left."""
        with self._change:
            if self._is_stopping:
                return
            notice = self._notices.popleft() if self._notices else None
            said = None if notice else next(iter(self._slots.values()))
            if said and not self._lossless:
                del self._slots[said.is_carried]
            self._is_busy = True
        try:
            if notice:
                self._link.notify(notice)
            elif said:
                self._link.send(said)
                self._note_well()
        except BaseException:
            with self._change:
                self._is_busy = False
            raise
        with self._change:
            if said:
                self._sent += 1
                self._is_unread = False
                if self._slots.get(said.is_carried) is said:
                    del self._slots[said.is_carried]
            self._is_busy = False
            self._change.notify_all()

    def _note_open(self) -> None:
        with self._change:
            self._is_open = self._was_tried = True
            self._trouble = ""
            self._change.notify_all()

    def _note_well(self) -> None:
        """It opened and works: say so where its trouble was told, and begin anew with short waits."""
        self._back_off_s = FIRST_BACK_OFF_S
        if self._told:
            self._told = ""
            log.info("%s works again", self._link.name)

    def _note_broken(self, error: Exception) -> None:
        """Count it, and tell it once until it works again."""
        trouble = _in_words(error)
        with self._change:
            self._is_open, self._was_tried = False, True
            self._failures += 1
            self._trouble = trouble
            self._is_unread = isinstance(error, BrokenPipeError)
            self._change.notify_all()
        if trouble != self._told and self.refused is None:
            log.warning("%s: %s; trying again", self._link.name, trouble)
        self._told = trouble

    def _close(self) -> None:
        with self._change:
            self._is_open = False
            self._change.notify_all()
        try:
            self._link.close()
        except OSError as error:
            log.debug("%s: %s on closing", self._link.name, error)


def _in_words(error: Exception) -> str:
    """Say what a link's trouble is, without the number that the system has for it."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return told or type(error).__name__
