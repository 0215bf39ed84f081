"""The recording's own clock: frames come when they are due."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from runtime.frame import Frame


def keep_time(
    frames: Iterator[Frame], now_us: Callable[[], int], sleep: Callable[[float], None]
) -> Generator[Frame, None, None]:
    """Yield each frame when its own clock says; one whose successor is already due is passed over, as in flight."""
    held = next(frames, None)
    if held is None:
        return
    offset_us = now_us() - held.t_us

    def wait_for(frame: Frame) -> Frame:
        sleep(max(frame.t_us + offset_us - now_us(), 0) * 1e-6)
        return frame

    for coming in frames:
        if now_us() - offset_us < coming.t_us:
            yield wait_for(held)
        held = coming
    yield wait_for(held)
