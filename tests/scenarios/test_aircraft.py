"""The daemon on an aircraft: a vehicle that speaks MAVLink, a camera that is covered for a while, and a process that is
killed in flight. What the autopilots make of it is their own rules' to say.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.fix import K_HPL
from runtime.flights.flight import Flight
from runtime.frame import Telemetry
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.sensors.telemetry import telemetry_at
from tests.paths import ROOT
from tests.runtime.aircraft.vehicle import (
    Speaker,
    autopilot_heartbeat,
    boot_message,
    gps_message,
    position_command,
    tilted,
)
from tests.scenarios.autopilots import ArduPilotGps, Px4Position
from tests.waiting import free_port, wait_for, wait_until

COVERED = 8  # frames, a second each: longer than motion alone is worth anything


class Vehicle:
    """Flies as the recording does, as its autopilot knows it, and hears what it is sent."""

    def __init__(self, flight: Flight, port: int, gnss: LatLon, fixes: Path) -> None:
        """``fixes`` tell when the recording began; until then the vehicle waits at its first row."""
        self.ardupilot, self.px4 = ArduPilotGps(), Px4Position()
        self.texts: list[str] = []
        self._rows, self._gnss, self._fixes = flight.telemetry, gnss, fixes
        self._times_us = [row.t_us for row in flight.telemetry]
        self._began_us: int | None = None
        self._speaker = Speaker(1, 1, port)
        self._gimbal = Speaker(1, 154, port)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._fly, daemon=True)

    def __enter__(self) -> Vehicle:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        for one in (self._speaker, self._gimbal):
            one.__exit__()

    def order(self, *messages: Any) -> None:
        """Send what a ground station would."""
        self._speaker.send(*messages)

    def _now(self) -> Telemetry:
        """What the aircraft knows now, with a sensor's noise."""
        now_us = time.monotonic_ns() // 1000
        if self._began_us is None:
            lines = lines_of(self._fixes)
            self._began_us = lines[0]["t_us"] if lines else None
        t_us = 0 if self._began_us is None else now_us - self._began_us
        row = telemetry_at(self._rows, self._times_us, min(max(t_us, 0), self._times_us[-1]))
        noise = 0.05 * math.sin(now_us * 1e-5)
        return replace(row, cam_pitch_deg=row.cam_pitch_deg + noise, alt_agl_m=row.alt_agl_m + noise)

    def _fly(self) -> None:
        """Tell attitude, altitude and a GNSS that is spoofed, twenty times a second."""
        booted_s = time.monotonic() - 10.0
        while not self._done.is_set():
            boot_ms, now = round((time.monotonic() - booted_s) * 1e3), self._now()
            looking = tilted(now.cam_roll_deg, now.cam_pitch_deg, now.cam_yaw_deg)
            self._speaker.send(
                autopilot_heartbeat(),
                boot_message("ATTITUDE_QUATERNION", boot_ms, **tilted(yaw_deg=now.cam_yaw_deg)),
                boot_message("DISTANCE_SENSOR", boot_ms, current_distance=round(now.alt_agl_m * 100)),
                gps_message(lat=self._gnss.lat, lon=self._gnss.lon, h_acc=1_000),
            )
            self._gimbal.send(boot_message("GIMBAL_DEVICE_ATTITUDE_STATUS", boot_ms, flags=64, q=[*looking.values()]))
            for message in self._speaker.received():
                self._hear(time.monotonic(), message)

    def _hear(self, at_s: float, message: Any) -> None:
        kind = message.get_type()
        if kind == "GPS_INPUT":
            self.ardupilot.hear(at_s, message)
        elif kind == "GLOBAL_POSITION_SENSOR":
            self.px4.hear(at_s, message)
        elif kind == "STATUSTEXT":
            self.texts.append(message.text)


@pytest.fixture(scope="module")
def recording(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small flight there, the lens covered, and back again: a frame a second."""
    out = tmp_path_factory.mktemp("recording") / "flight"
    shutil.copytree(small_world / "flight", out)
    header, *rows = (out / "telemetry.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows]
    image = header.split(",").index("image")
    dark = list(cells[-1])
    dark[image] = "frames/dark.jpg"
    first = cv2.imread(str(out / cells[0][image]))
    assert first is not None
    cv2.imwrite(str(out / "frames/dark.jpg"), np.zeros_like(first))
    flown = [*cells, *[dark] * COVERED, *reversed(cells)]
    lines = [",".join([str(second * 1_000_000), *row[1:]]) for second, row in enumerate(flown)]
    (out / "telemetry.csv").write_text("\n".join([header, *lines]) + "\n")
    return out


Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(recording: Path, town: Path, tmp_path: Path, port: int) -> Iterator[Start]:
    """The daemon on the vehicle's telemetry, which is also its way to the autopilot; with its state kept."""
    config = tmp_path / "skyfix.toml"
    config.write_text(
        f'[map]\ntiles = "{town}"\n[model]\nthreads = 1\n'
        f'[camera]\nsource = "{recording}"\ncalibration = "{recording}/camera.yaml"\nrealtime = true\n'
        f'[telemetry]\nsource = "mavlink:udpin:127.0.0.1:{port}"\n'
        '[state]\nfile = "state.json"\n'
        '[[link]]\nkind = "mavlink"\nurl = "telemetry"\nmessages = ["GLOBAL_POSITION_SENSOR", "GPS_INPUT"]\n'
        "global_position_to_ardupilot = true\n"  # the vehicle of this test plays both
        '[[link]]\nkind = "jsonl"\npath = "fixes.jsonl"\n'
    )
    with contextlib.ExitStack() as running:

        def run() -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", "runtime.daemon", "--config", str(config)],
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stderr=subprocess.PIPE,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield run


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


@pytest.fixture(scope="module")
def truth(small_world: Path, drones: dict[int, LatLon]) -> list[LatLon]:
    return [drones[t_us] for t_us in sorted(drones)]


def test_an_autopilot_gets_positions_while_there_is_ground_and_silence_when_there_is_none(
    *, start: Start, recording: Path, truth: list[LatLon], port: int, tmp_path: Path
) -> None:
    spoofed = LocalFrame(truth[0]).to_latlon(400.0, 300.0)
    with Vehicle(Flight.open(recording), port, spoofed, tmp_path / "fixes.jsonl") as vehicle:
        process = start()
        assert process.wait(timeout=120) == 0, process.stderr and process.stderr.read()
    lines = lines_of(tmp_path / "fixes.jsonl")
    reasons = [line.get("no_fix") for line in lines]
    assert sum("lat" in line for line in lines) >= 6
    assert reasons.count("blank_picture") >= COVERED - 4
    _check_positions(vehicle, truth)
    _check_silence(vehicle)
    assert any("gnss" in line.get("doubts", ()) for line in lines)
    assert any(text.startswith("GNSS ") and "from the visual position" in text for text in vehicle.texts)


def _check_positions(vehicle: Vehicle, truth: list[LatLon]) -> None:
    """Every position on the wire is where the drone flies, by what the message itself says of its uncertainty."""
    fused = [message for _, message in vehicle.px4.fused]
    assert len(fused) >= 6
    for message in (*fused, *(message for _, message in vehicle.ardupilot.heard)):
        place = LatLon(message.lat * 1e-7, message.lon * 1e-7)
        sigma_m = message.eph if message.get_type() == "GLOBAL_POSITION_SENSOR" else message.horiz_accuracy
        assert _off_track_m(place, truth) <= K_HPL * sigma_m + 5.0


def _off_track_m(place: LatLon, truth: list[LatLon]) -> float:
    """How far a place is from the way that is flown, there and back again."""
    frame = LocalFrame(truth[0])
    way, at = np.array([frame.to_en(one) for one in truth]), np.array(frame.to_en(place))
    between = np.concatenate([np.linspace(a, b, 50) for a, b in itertools.pairwise(way)])
    return float(np.linalg.norm(between - at, axis=1).min())


def _check_silence(vehicle: Vehicle) -> None:
    """In the dark positions are carried on for a while with an uncertainty that grows; then there is nothing."""
    heard = vehicle.ardupilot.heard
    silences = [(a, b) for (a, _), (b, _) in itertools.pairwise(heard) if b - a > 1.5]
    assert silences, "a covered lens has to end in silence"
    dark_s, _ = max(silences, key=lambda one: one[1] - one[0])
    last = [message.horiz_accuracy for message in vehicle.ardupilot.between(dark_s - 0.8, dark_s + 0.01)]
    assert len(last) >= 3
    assert all(a < b for a, b in itertools.pairwise(last))
    gaps_s = sorted(vehicle.ardupilot.gaps_s())
    assert gaps_s[len(gaps_s) // 2] < 0.245, "half of all positions come while the driver calls it healthy"


def test_killed_in_flight_it_goes_on_from_what_it_had_learnt(
    *, start: Start, recording: Path, truth: list[LatLon], port: int, tmp_path: Path
) -> None:
    fixes = tmp_path / "fixes.jsonl"
    with Vehicle(Flight.open(recording), port, truth[0], fixes):
        first = start()
        wait_for(lambda: sum("lat" in line for line in lines_of(fixes)) >= 3)
        wait_for((tmp_path / "state.json").is_file)
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = len(lines_of(fixes))
        second = start()
        wait_for(lambda: any("lat" in line for line in lines_of(fixes)[before:]))
        second.terminate()
        _, err = second.communicate(timeout=20)
    assert second.returncode == 0
    assert "going on from the state kept" in err
    assert all("lat" in line or "no_fix" in line for line in lines_of(fixes))


def test_an_operator_s_position_on_the_far_side_of_the_map_is_looked_at_and_not_believed(
    *, start: Start, recording: Path, truth: list[LatLon], port: int, tmp_path: Path
) -> None:
    """The command is heard, the flight begins anew there, and the map contradicts it: no position is told meanwhile."""
    away, beyond = (LocalFrame(truth[0]).to_latlon(*en_m) for en_m in ((130.0, 110.0), (-9_000.0, 0.0)))
    fixes = tmp_path / "fixes.jsonl"

    def contradicts(vehicle: Vehicle) -> bool:
        """Tell the position, again until it is heard: a ground station does so, and UDP promises nothing."""
        vehicle.order(position_command(lat=away.lat, lon=away.lon, sigma_m=20.0))
        return wait_until(
            lambda: any(line.get("no_fix") == "start_contradicted" for line in lines_of(fixes)), timeout_s=1.5
        )

    with Vehicle(Flight.open(recording), port, truth[0], fixes) as vehicle:
        process = start()
        wait_for(lambda: contradicts(vehicle))
        count = len(lines_of(fixes))
        vehicle.order(position_command(lat=beyond.lat, lon=beyond.lon, sigma_m=20.0))
        wait_for(lambda: len(lines_of(fixes)) >= count + 2)
        process.terminate()
        _, err = process.communicate(timeout=20)
    assert "the drone is said to be within" in err
    assert "a start is not heard: the start" in err, "of the second, which is off the map"
    for line in lines_of(fixes):
        if "lat" in line:
            assert _off_track_m(LatLon(line["lat"], line["lon"]), truth) <= max(line["hpl_m"], 25.0)
            assert distance_m(LatLon(line["lat"], line["lon"]), away) > 50.0
            assert math.isfinite(line["hpl_m"])
