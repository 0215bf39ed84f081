"""The daemon with a camera's capture process, counting whose the processor's time was: python daemon_share.py CONFIG.

The recording is read by another process, as a camera is (:class:`runtime.cameras.capture.Capture`), and flown with a
vehicle's telemetry by the daemon's own localizer, loop, ticker and links. Time is the kernel's, of each thread; what
the networks' own threads took is the process's less everybody's else. A picture's age has its decoding in it, as with
a camera that sends JPEG; pictures that the reading process is too late for are passed over there, and not counted.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from daemon_vehicle import BEGAN

import runtime.daemon.run as daemon
from runtime.cameras.capture import Capture
from runtime.cameras.recorded import FolderStream
from runtime.command import run_command
from runtime.daemon.frames import TelemetryAt, live
from runtime.daemon.notify import ServiceManager
from runtime.daemon.opening import opened
from runtime.daemon.settings import Settings
from runtime.daemon.signals import Signals
from runtime.files import write_text_whole
from runtime.fix import Verdict
from runtime.frame import Frame, Telemetry
from runtime.locate.localizer import Localizer


class TimedLocalizer:
    """A localizer that knows what its thread spent in it."""

    def __init__(self, localizer: Any) -> None:
        self._localizer, self.thread_s = localizer, 0.0

    def step(self, frame: Frame) -> Verdict:
        """Take a frame."""
        began_s = time.thread_time()
        verdict: Verdict = self._localizer.step(frame)
        self.thread_s += time.thread_time() - began_s
        return verdict

    def __getattr__(self, name: str) -> Any:
        return getattr(self._localizer, name)


def told(began: Path, at: TelemetryAt) -> TelemetryAt:
    """Return what tells telemetry, and writes to ``began`` when it was first asked: the vehicle begins with that."""

    def first(t_us: int) -> Telemetry:
        if not began.is_file():
            write_text_whole(began, str(t_us))
        return at(t_us)

    return first


def fly(settings: Settings) -> None:
    """Fly to the end, and print whose the time was."""
    signals, folder = Signals(), Path(settings.camera.source.address)
    with opened(settings, signals, os.environ) as flight, Capture(FolderStream(folder)) as capture:
        assert flight.aircraft is not None
        timed = TimedLocalizer(flight.localizer)
        stream = live(capture, told(settings.file.parent / BEGAN, flight.aircraft.at), signals.ended)
        flown = replace(flight, localizer=cast(Localizer, timed), stream=stream)
        loop = daemon._loop(flown, ServiceManager({}))
        signals.idle, ticker = loop.alive, daemon._ticker(flown, loop)
        began = time.monotonic(), time.process_time(), time.thread_time()
        loop.fly(stream, signals.ended)
        wall_s, whole_s, main_s = (b - a for a, b in zip(began, _now(), strict=True))
        others_s = {one.name: _thread_s(one) for one in threading.enumerate() if one is not threading.main_thread()}
        if ticker is not None:
            ticker.stop()
    print(f"{loop.health}; {capture.dropped} frames passed over", file=sys.stderr)
    _print_shares(wall_s, whole_s, {"loop": main_s - timed.thread_s, **others_s}, timed.thread_s)


def _now() -> tuple[float, float, float]:
    return time.monotonic(), time.process_time(), time.thread_time()


def _thread_s(thread: threading.Thread) -> float:
    """Return the processor's time of one thread, by the kernel's count."""
    fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print_shares(wall_s: float, whole_s: float, ours_s: dict[str, float], localizer_s: float) -> None:
    around_s = sum(ours_s.values())
    parts = ", ".join(f"{name} {spent / wall_s:.2%}" for name, spent in ours_s.items())
    print(
        f"  of one core: localizer and networks {(whole_s - around_s) / wall_s:.1%} (its own thread "
        f"{localizer_s / wall_s:.1%}); all around it {around_s / wall_s:.1%}, which is {around_s / whole_s:.1%} "
        f"of the process's time\n    {parts}"
    )


if __name__ == "__main__":
    config = Path(sys.argv[1])
    sys.exit(run_command("daemon_share", lambda: fly(Settings.read(config)), verbose=False))
