"""Recordings and configurations for ``daemon.py``: a video there and back again, and a folder that grows by it."""

from __future__ import annotations

import csv
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from train.world.flight import FlightSpec, write_world

FPS = 30
PERIOD_US = round(1e6 / FPS)
_TURNED = ("vel_north_mps", "vel_east_mps")


def video(folder: Path, frames: int) -> Path:
    """Return a flight of the demo's world at 30 pictures a second, rendered where it is not there yet."""
    if not (folder / "flight/flight.json").is_file():
        write_world(folder, FlightSpec(frames=frames, interval_s=1.0 / FPS))
    return folder / "flight"


def there_and_back(flight: Path) -> Iterator[dict[str, str]]:
    """Yield rows for ever, each ``PERIOD_US`` after the one before; on the way back velocities point back, too."""
    with (flight / "telemetry.csv").open(newline="", encoding="utf-8") as file:
        there = list(csv.DictReader(file))
    back = [{**row, **{name: f"{-float(row[name]):.2f}" for name in _TURNED}} for row in there[-2:0:-1]]
    whole, number = [*there, *back], 0
    while True:
        yield {**whole[number % len(whole)], "t_us": str(number * PERIOD_US)}
        number += 1


def write_recording(flight: Path, out: Path, rows: int) -> Path:
    """Write a flight of so many frames, whose pictures are another's."""
    _lay_pictures(flight, out)
    source = there_and_back(flight)
    lines = [next(source) for _ in range(rows)]
    with (out / "telemetry.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return out


def _lay_pictures(flight: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "frames").symlink_to((flight / "frames").resolve(), target_is_directory=True)
    (out / "camera.yaml").write_bytes((flight / "camera.yaml").read_bytes())


class GrowingFolder:
    """A folder that a camera writes to, every ``stride``-th picture of a video, whoever reads it."""

    def __init__(self, flight: Path, out: Path, stride: int = 3) -> None:
        self.path, self._stride = out, stride
        self._rows = there_and_back(flight)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._grow, daemon=True)
        _lay_pictures(flight, out)

    def __enter__(self) -> GrowingFolder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _grow(self) -> None:
        began_s = time.monotonic()
        with (self.path / "telemetry.csv").open("a", buffering=1, encoding="utf-8") as file:
            for number, row in enumerate(self._rows):
                if not number:
                    file.write(",".join(row) + "\n")
                if number % self._stride:
                    continue
                if self._done.wait(max(began_s + number / FPS - time.monotonic(), 0.0)):
                    return
                file.write(",".join(row.values()) + "\n")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the links lead."""

    mavlink: int
    telemetry: int
    nmea: int
    msp: int


def free_ports() -> Ports:
    """Return ports that nobody holds now."""
    kinds = (socket.SOCK_DGRAM, socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM)
    held = [socket.socket(socket.AF_INET, kind) for kind in kinds]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = Ports(*(int(one.getsockname()[1]) for one in held))
    for one in held:
        one.close()
    return ports


def config_text(
    recording: Path, tiles: Path, ports: Ports, *, threads: int, follow: bool = False, is_told: bool = False
) -> str:
    """Write a configuration with every kind of link; where it ``is_told``, telemetry is a vehicle's."""
    clock = "follow = true" if follow else "realtime = true"
    telemetry = f'[telemetry]\nsource = "mavlink:udpin:127.0.0.1:{ports.telemetry}"\n' if is_told else ""
    return (
        f'[map]\ntiles = "{tiles.resolve()}"\n[model]\nthreads = {threads}\n'
        f'[camera]\nsource = "{recording}"\ncalibration = "{recording}/camera.yaml"\n{clock}\n{telemetry}'
        '[state]\nfile = "state.json"\n'
        f'[[link]]\nkind = "mavlink"\nurl = "udpout:127.0.0.1:{ports.mavlink}"\n'
        'messages = ["GLOBAL_POSITION_SENSOR", "GPS_INPUT"]\n'
        f'[[link]]\nkind = "nmea"\nurl = "tcpin:127.0.0.1:{ports.nmea}"\n'
        f'[[link]]\nkind = "msp"\nurl = "tcp:127.0.0.1:{ports.msp}"\n'
        '[[link]]\nkind = "jsonl"\npath = "fixes.jsonl"\n'
    )


def resident_mb(pid: int) -> float:
    """Return a process's resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors(pid: int) -> int:
    """Return how many files a process holds open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def system_threads(pid: int) -> int:
    """Return how many threads a process has, the networks' among them."""
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
