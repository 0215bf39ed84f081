"""A recording kept to its own clock."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from runtime.frame import Frame
from runtime.sensors.pace import Coming, Pace
from tests.runtime.sensors.drawn import row


class Clock:
    """A clock that only moves when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 7_000_000

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e6)


def recording(count: int, period_s: float = 1.0, read: list[int] | None = None) -> Iterator[Coming]:
    """Frames at even times; ``read`` gets the time of each that was read."""
    for k in range(count):
        frame = Frame(row(k * period_s), np.zeros((1, 1, 3), np.uint8))

        def now(frame: Frame = frame) -> Frame:
            if read is not None:
                read.append(frame.t_us)
            return frame

        yield Coming(frame.t_us, now)


def flown(work_s: float, count: int = 6, period_s: float = 1.0) -> list[tuple[float, float]]:
    """(exposure, when it was given) in seconds, for a consumer that works so long on each frame."""
    clock = Clock()
    given = []
    for frame in Pace(lambda: clock.now, clock.sleep).keep(recording(count, period_s)):
        given.append((frame.t_us / 1e6, (clock.now - 7_000_000) / 1e6))
        clock.sleep(work_s)
    return given


def test_a_quick_consumer_gets_every_frame_when_it_is_due() -> None:
    assert flown(work_s=0.2) == [(float(k), float(k)) for k in range(6)]


def test_a_slow_consumer_gets_the_newest_frame_and_never_an_old_one() -> None:
    given = flown(work_s=2.4, count=12)
    assert [exposed for exposed, _ in given] == [0.0, 2.0, 4.0, 7.0, 9.0, 11.0]
    assert all(0 <= at - exposed <= 1.0 for exposed, at in given)


def test_what_came_too_late_is_counted_and_not_read() -> None:
    clock, read = Clock(), list[int]()
    pace = Pace(lambda: clock.now, clock.sleep)
    for _ in pace.keep(recording(12, read=read)):
        clock.sleep(2.4)
    assert pace.offset_us == 7_000_000
    assert pace.passed_over == 6
    assert read == [0, 2_000_000, 4_000_000, 7_000_000, 9_000_000, 11_000_000]


@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_and_a_short_recording_end(count: int) -> None:
    assert len(flown(0.1, count)) == count
