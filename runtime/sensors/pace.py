"""The recording's own clock: frames come when they are due, and one that comes too late is not even read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from runtime.frame import Frame


@dataclass(frozen=True, slots=True)
class Coming:
    """A frame of a recording, whose picture is read when it is wanted."""

    t_us: int
    read: Callable[[], Frame]


class Pace:
    """Keeps a recording to its own clock; a frame whose successor is already due is passed over, as in flight."""

    def __init__(self, now_us: Callable[[], int], sleep: Callable[[float], None]) -> None:
        self._now_us, self._sleep = now_us, sleep
        self.offset_us = 0
        """From the recording's times to this computer's clock; known from the first frame on."""
        self.passed_over = 0
        """Frames that came too late."""

    def keep(self, frames: Iterator[Coming]) -> Generator[Frame, None, None]:
        """Yield each frame when its own clock says."""
        held = next(frames, None)
        if held is None:
            return
        self.offset_us = self._now_us() - held.t_us
        for coming in frames:
            if self._now_us() - self.offset_us < coming.t_us:
                yield self._waited_for(held)
            else:
                self.passed_over += 1
            held = coming
        yield self._waited_for(held)

    def _waited_for(self, coming: Coming) -> Frame:
        frame = coming.read()
        self._sleep(max(frame.t_us + self.offset_us - self._now_us(), 0) * 1e-6)
        return frame
