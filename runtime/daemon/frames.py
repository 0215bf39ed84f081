"""Where the daemon's frames come from: a recording, a folder that grows, or a camera with the aircraft's telemetry."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from runtime.cameras.source import Shot
from runtime.clock import monotonic_us
from runtime.frame import Frame, Telemetry
from runtime.sensors.folder import FolderTail, follow_folder
from runtime.sensors.pace import Coming, Pace

_WAIT_S = 0.2

TelemetryAt = Callable[[int], Telemetry]
"""What the aircraft knew at a time on this computer's monotonic clock."""


class LiveCamera(Protocol):
    """What a capture gives (:class:`runtime.cameras.capture.Capture`)."""

    @property
    def ended(self) -> bool: ...

    @property
    def dropped(self) -> int: ...

    def newest(self, timeout_s: float) -> Shot | None: ...


@dataclass(frozen=True, slots=True)
class FrameStream:
    """Frames, and how their times lie on this computer's clock."""

    frames: Generator[Frame, None, None]
    offset_us: Callable[[Frame], int]
    """From a frame's time to the monotonic clock."""
    passed_over: Callable[[], int]
    """Frames that came too late, or were overtaken by a newer one, so far."""
    is_lossless: bool = False
    """Every frame is flown, however long it takes: a recording that keeps to no clock."""


def recorded(coming: Generator[Coming, None, None]) -> FrameStream:
    """Fly a recording as fast as it goes."""
    frames = _closing((one.read() for one in coming), coming)
    return FrameStream(frames, lambda frame: monotonic_us() - frame.t_us, lambda: 0, is_lossless=True)


def paced(coming: Generator[Coming, None, None], sleep: Callable[[float], None]) -> FrameStream:
    """Fly a recording by its own clock; what comes too late is passed over, as in flight."""
    pace = Pace(monotonic_us, sleep)
    return FrameStream(_closing(pace.keep(coming), coming), lambda _: pace.offset_us, lambda: pace.passed_over)


def followed(tail: FolderTail, stopped: Callable[[], bool]) -> FrameStream:
    """Fly a folder that grows; its writer's clock is its own, and the newest frame is of now."""
    return FrameStream(
        follow_folder(tail, stopped), lambda frame: monotonic_us() - frame.t_us, lambda: tail.passed_over
    )


def live(camera: LiveCamera, telemetry_at: TelemetryAt, stopped: Callable[[], bool]) -> FrameStream:
    """Fly with a camera and the aircraft's telemetry, both on this computer's clock."""
    return FrameStream(_shots(camera, telemetry_at, stopped), lambda _: 0, lambda: camera.dropped)


def with_telemetry(stream: FrameStream, telemetry_at: TelemetryAt) -> FrameStream:
    """Give a recording's pictures the telemetry of now: their times become this computer's."""

    def frames() -> Generator[Frame, None, None]:
        for frame in stream.frames:
            yield Frame(telemetry_at(frame.t_us + stream.offset_us(frame)), frame.picture, frame.name)

    return replace(stream, frames=frames(), offset_us=lambda _: 0)


def _shots(camera: LiveCamera, telemetry_at: TelemetryAt, stopped: Callable[[], bool]) -> Generator[Frame, None, None]:
    while not stopped() and not camera.ended:
        shot = camera.newest(_WAIT_S)
        if shot is not None:
            yield Frame(telemetry_at(shot.exposed_at_us), shot.picture, shot.name)


def _closing(frames: Iterator[Frame], source: Generator[Coming, None, None]) -> Generator[Frame, None, None]:
    with contextlib.closing(source):
        yield from frames
