"""What goes wrong on an aircraft, and a flight to and fro that it goes wrong in."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.quaternion import from_euler
from runtime.cameras.source import Shot
from runtime.fix import Fix, Verdict
from runtime.frame import Frame, Telemetry
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.pictures import read_picture
from tests.paths import ROOT

ABSURD_M = 25.0
"""No fix is further off than its protection level, or than this where that is smaller."""


def to_and_fro(count: int) -> Iterator[int]:
    """Yield 0, 1, 2 ... and back again: a flight of any length over the small one's places, none twice in a row."""
    return itertools.cycle([*range(count), *range(count - 2, 0, -1)])


def is_honest(verdict: Verdict, drone: LatLon) -> bool:
    """Tell whether a verdict is no fix, or one within what it says of itself."""
    if not isinstance(verdict, Fix):
        return True
    return distance_m(LatLon(verdict.lat, verdict.lon), drone) <= max(verdict.hpl_m, ABSURD_M)


def flown(frames: Sequence[Frame], count: int, step_us: int = 2_000_000) -> list[tuple[int, Frame]]:
    """Fly so many frames to and fro; each with the number of its place, and its velocity turned on the way back."""
    places = list(itertools.islice(to_and_fro(len(frames)), count + 1))
    out = []
    for number, (place, following) in enumerate(itertools.pairwise(places)):
        told, way = frames[place].telemetry, 1.0 if following > place else -1.0
        north_mps, east_mps = way * told.vel_north_mps, way * told.vel_east_mps
        turned = replace(told, t_us=number * step_us, vel_north_mps=north_mps, vel_east_mps=east_mps)
        out.append((place, replace(frames[place], telemetry=turned)))
    return out


Spoil = Callable[[Telemetry, int], "Telemetry | None"]
"""What the autopilot tells instead, of its n-th sample; None: nothing."""


def through_buffer(frames: Sequence[Frame], spoilt: range, spoil: Spoil) -> Iterator[Frame]:
    """Yield frames with the telemetry that a live flight's buffer has of them, from ten samples a second."""
    buffer = TelemetryBuffer()
    for number, frame in enumerate(frames):
        for sample in range(20):
            true = replace(frame.telemetry, alt_agl_m=frame.telemetry.alt_agl_m + 0.02 * math.sin(sample + number))
            told = spoil(true, sample) if number in spoilt else true
            t_us = frame.t_us - (19 - sample) * 100_000
            if told is not None:
                attitude = from_euler(told.cam_roll_deg, told.cam_pitch_deg, told.cam_yaw_deg)
                buffer.add_gimbal(t_us, attitude, yaw_is_to_north=True)
                buffer.add_altitude(t_us, "clearance", told.alt_agl_m)
                buffer.add_velocity(t_us, told.vel_north_mps, told.vel_east_mps, 0.0)
        yield replace(frame, telemetry=buffer.at(frame.t_us))


@dataclass
class TownCamera:
    """Shows where the drone is at the time, a picture a second; ``home`` holds the fault that it has now."""

    home: Path
    pictures: tuple[Path, ...]
    began_us: int
    name: str = "town camera"

    def open(self) -> None:
        if (self.home / "unplugged").exists():
            raise OSError(f"{self.name} is not plugged in")

    def read(self) -> Shot | None:
        number = self.number_at(time.monotonic_ns() // 1000) + 1
        exposed_at_us = self.began_us + number * 1_000_000
        time.sleep(max(exposed_at_us - time.monotonic_ns() // 1000, 0) * 1e-6)
        while (self.home / "hangs").exists():
            time.sleep(0.05)
        if (self.home / "unplugged").exists():
            raise OSError(f"{self.name} was pulled out")
        place = place_of(number, len(self.pictures))
        return Shot(read_picture(self.pictures[place]), exposed_at_us, str(place))

    def number_at(self, t_us: int) -> int:
        """Return how many seconds it has been flown."""
        return (t_us - self.began_us) // 1_000_000

    def close(self) -> None:
        pass


def place_of(number: int, count: int) -> int:
    """Return the n-th place to and fro."""
    return next(itertools.islice(to_and_fro(count), number % (2 * count - 2), None))


class DaemonProcess:
    """The daemon as a process, with what it says in files."""

    def __init__(self, config: Path, *options: str, prelude: str = "", **more: object) -> None:
        """``prelude`` is run in the process before the daemon."""
        self.said = config.with_suffix(".err")
        code = f"{prelude}\nimport sys\nfrom runtime.daemon.__main__ import main\nsys.exit(main(sys.argv[1:]))"
        with self.said.open("w") as err:
            self.process = subprocess.Popen(  # type: ignore[call-overload]
                [sys.executable, "-c", code, "--config", str(config), *options],
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stderr=err,
                **{"stdout": subprocess.DEVNULL, **more},
            )

    def __enter__(self) -> DaemonProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def lines(self) -> list[str]:
        """What it has said on standard error so far."""
        return self.said.read_text().splitlines()

    def says(self, text: str) -> bool:
        """Tell whether any line has this in it."""
        return any(text in line for line in self.lines)

    def end(self) -> int:
        """Have it end, and return its exit code."""
        self.process.terminate()
        return int(self.process.wait(timeout=10))
