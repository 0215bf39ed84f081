"""A camera read in a process of its own, so that a driver that hangs never stops who flies with it.

The newest picture wins. A camera that stalls, fails or dies is told of once, and opened anew in a new process.
"""

from __future__ import annotations

import logging
import pickle
import threading
import time
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from runtime.cameras.mailbox import PictureWritten, Report, SourceEnded, SourceFailed
from runtime.cameras.process import CaptureProcess
from runtime.cameras.source import Shot, Source
from runtime.errors import SkyfixError
from runtime.types import Picture

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_WELL_AFTER_S = 10.0  # a run of pictures so long makes the next pause the first one again
_LOOK_S = 0.05  # so often is looked whether to close
_GRACE_S = 1.0  # for a process to start, before its time to open counts

CameraState: TypeAlias = Literal["opening", "streaming", "stalled", "lost"]


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """How a camera is: opening at first, streaming, stalled (alive and silent) or lost (failed, or died)."""

    state: CameraState
    text: str
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The newest picture, which nobody has taken yet."""

    written: PictureWritten
    picture: Picture  # in shared memory, ours until the slot is handed back
    process: CaptureProcess


class Capture:
    """A source in its own process. Start it, ask for the newest picture as often as you like, close it."""

    def __init__(self, source: Source, *, stall_s: float = 1.0, open_s: float = 10.0) -> None:
        """``source`` is one not opened yet; it travels to the process by pickle.

        No picture for ``stall_s`` is a stall. The first one may take ``open_s``: a stream begins with its next key
        picture.
        """
        self._name, self._pickled = source.name, pickle.dumps(source)
        self._stall_s, self._open_s = stall_s, open_s
        self._condition = threading.Condition()  # guards all below
        self._health = CameraHealth("opening", f"{source.name} is being opened")
        self._waiting: _Waiting | None = None
        self._dropped = 0
        self._is_answered = False  # the source has been opened, or has failed to
        self._is_over = False
        self._refusal: SkyfixError | None = None
        self._pid: int | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture {source.name}", daemon=True)

    def start(self) -> None:
        """Start the process, and wait until the source is open or has failed, ``open_s`` at most.

        Raises the source's SettingsError (or any other SkyfixError): nothing will mend it. What may mend itself is told
        by :attr:`health`, and tried again.
        """
        self._thread.start()
        with self._condition:
            self._condition.wait_for(lambda: self._is_answered, self._open_s + _GRACE_S)
            self._is_answered = True  # from now on nothing is raised
            refusal = self._refusal
        if refusal is not None:
            self.close()
            raise refusal

    def newest(self, timeout_s: float) -> Shot | None:
        """Return the newest picture, each once, as a copy of the caller's own; None where none came in time."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting is not None or self._is_over, timeout_s)
            taken, self._waiting = self._waiting, None
        if taken is None:
            return None
        shot = Shot(taken.picture.copy(), taken.written.exposed_at_us, taken.written.name)
        taken.process.hand_back(taken.written.slot)
        return shot

    @property
    def dropped(self) -> int:
        """How many pictures were read that nobody took, for a newer one came."""
        with self._condition:
            return self._dropped

    @property
    def health(self) -> CameraHealth:
        with self._condition:
            return self._health

    @property
    def ended(self) -> bool:
        """Whether the source has come to its end or was closed, and its last picture has been taken."""
        with self._condition:
            return self._is_over and self._waiting is None

    @property
    def pid(self) -> int | None:
        """The process that reads now, for people and tests; None between two."""
        with self._condition:
            return self._pid

    def close(self) -> None:
        """End the process, within a second, whatever its driver does. May be called twice."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._condition:
            self._waiting = None  # and its memory with it

    def __enter__(self) -> Capture:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        """Run the source again and again, with pauses that grow, until it ends or we do."""
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            streamed_s = self._run_once()
            if self._is_over or self._closing.is_set():
                break
            if streamed_s > _WELL_AFTER_S:
                pause_s = _FIRST_PAUSE_S
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            with self._condition:
                self._health = replace(self._health, restarts=self._health.restarts + 1)
        with self._condition:
            self._is_over = True
            self._condition.notify_all()

    def _run_once(self) -> float:
        """Start a process, and follow it until it is over; returns for how long pictures came, seconds."""
        try:
            process = CaptureProcess(self._pickled)
        except OSError as error:
            self._tell("lost", f"{self._name} has no process: {error.strerror}")
            return 0.0
        with self._condition:
            self._pid = process.pid
        try:
            return self._follow(process)
        except OSError as error:  # no memory to look at its pictures
            self._tell("lost", f"{self._name}: {error.strerror}")
            return 0.0
        finally:
            with self._condition:
                self._pid = None
            process.end(politely=True)

    def _follow(self, process: CaptureProcess) -> float:
        last_number, began_s = 0, time.monotonic()
        due_s = began_s + self._open_s
        while not self._closing.is_set():
            now_s = time.monotonic()
            try:
                report = process.report(min(max(due_s - now_s, 0.0), _LOOK_S))
            except EOFError:
                self._tell("lost", f"{self._name}: {process.death()}")
                break
            if isinstance(report, PictureWritten):
                began_s = began_s if last_number else now_s
                self._take(report, process, last_number)
                last_number, due_s = report.number, time.monotonic() + self._stall_s
            elif report is not None:
                if self._is_last(report):
                    break
            elif now_s >= due_s:
                silent_s = self._stall_s if last_number else self._open_s
                self._tell("stalled", f"{self._name} has given no picture for {silent_s:g} s")
                process.end(politely=False)
                break
        return time.monotonic() - began_s if last_number else 0.0

    def _take(self, written: PictureWritten, process: CaptureProcess, last_number: int) -> None:
        """Put a picture where the next reader finds it, in place of one that nobody took."""
        waiting = _Waiting(written, process.view(written.slot, written.shape), process)
        with self._condition:
            missed, self._waiting = self._waiting, waiting
            self._dropped += written.number - last_number - 1 + (missed is not None)
            self._condition.notify_all()
        if missed is not None:
            missed.process.hand_back(missed.written.slot)
        self._tell("streaming", f"{self._name} gives pictures")

    def _is_last(self, report: Report) -> bool:
        """Take in what is no picture; tell whether the process ends with it."""
        if isinstance(report, SourceEnded):
            with self._condition:
                self._is_over = True
        elif isinstance(report, SourceFailed):
            if issubclass(report.kind, SkyfixError):
                self._refuse(report)
            self._tell("lost", f"{self._name}: {report.text}")
        with self._condition:
            self._is_answered = True
            self._condition.notify_all()
        return isinstance(report, (SourceEnded, SourceFailed))

    def _refuse(self, failed: SourceFailed) -> None:
        """Leave an error for :meth:`start` where it still waits: nobody stops flying for a later one."""
        with self._condition:
            if not self._is_answered:
                error = failed.kind.__new__(failed.kind, failed.text)  # its text is made already
                assert isinstance(error, SkyfixError)
                self._refusal, self._is_over = error, True

    def _tell(self, state: CameraState, text: str) -> None:
        """Change the health, and log it where it is news."""
        with self._condition:
            before = self._health
            self._health = replace(before, state=state, text=text)
            self._is_answered = True
            self._condition.notify_all()
        if (before.state, before.text) == (state, text) or self._refusal is not None:
            return
        if state != "streaming":
            logger.warning("%s; it is opened anew", text)
        elif before.state != "opening":
            logger.warning("%s again", text)
