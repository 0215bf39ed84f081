"""Frames as fast as they go through the daemon's loop, links and keeper: does anything grow, or slow down?"""

from __future__ import annotations

import contextlib
import gc
import itertools
import logging
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from daemon_recording import PERIOD_US, Ports, config_text, descriptors, free_ports, resident_mb, system_threads
from daemon_stream import quantiles

from runtime.clock import monotonic_us
from runtime.daemon.keep import FlightIdentity, StateKeeper
from runtime.daemon.loop import Loop
from runtime.daemon.opening import open_links
from runtime.daemon.settings import Settings
from runtime.daemon.ticker import Ticker
from runtime.fix import NoFix, Verdict
from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.frame import Frame
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.link.fanout import Fanout
from runtime.link.link import Said
from runtime.locate.load import open_localizer
from runtime.locate.localizer import Localizer
from runtime.locate.outlook import Outlook
from runtime.locate.position import PositionMeasurement
from runtime.pictures import read_picture
from runtime.start import Start
from runtime.tiles.cache import TileCache

TENTHS = 10
_REOPENED = 100  # times in all, as by SIGHUP
_SIGMA_M = 1.5


class BlindLocalizer:
    """Looks at few frames; of the others it takes the true place, with an error, into the same belief.

    So the state, its outlook and all behind them are the real ones; what is left out are networks and registration.
    """

    def __init__(self, localizer: Localizer, truth: list[LatLon], real_every: int) -> None:
        """``truth`` are the places of the frames of a round."""
        self._real, self._truth, self._every = localizer, truth, real_every
        self._rng, self._count = np.random.default_rng(0), 0

    @property
    def outlook(self) -> Outlook:
        """What can be said of moments after the newest frame."""
        return self._real.outlook

    def forget(self, start: Start | None = None) -> None:
        """Forget where the drone is."""
        self._real.forget(start)

    def step(self, frame: Frame) -> Verdict:
        """Take a frame."""
        number, self._count = self._count, self._count + 1
        if number % self._every == 0:
            return self._real.step(frame)
        state = self._real.state.heard(frame.t_us)
        told, place = frame.telemetry, LocalFrame(state.origin).to_en(self._truth[number % len(self._truth)])
        belief = state.belief.moved(frame.t_us, np.array([told.vel_east_mps, told.vel_north_mps]), None)
        seen = np.array(place) + self._rng.normal(0.0, _SIGMA_M, 2)
        belief = belief.registering(PositionMeasurement(frame.t_us, seen, np.eye(2) * _SIGMA_M**2, 0.002))
        estimate = belief.from_registration(80)
        belief, said = belief.saying(estimate)
        self._real.restore(replace(state, belief=belief, newest_us=frame.t_us))
        if said is None:
            return NoFix(frame.t_us, "unconfirmed")
        return self.outlook.fix(frame.t_us, told.alt_msl_m, said)


class Drain:
    """Reads and forgets what the links send; leaves now and then, so that they have to let go and come back."""

    def __init__(self, ports: Ports, stay_s: float = 3.0) -> None:
        self._ports, self._stay_s = ports, stay_s
        self._done = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._read_nmea, self._serve_msp)]

    def __enter__(self) -> Drain:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _read_nmea(self) -> None:
        while not self._done.wait(0.1):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._ports.nmea), 0.2) as sock:
                self._read(sock)

    def _serve_msp(self) -> None:
        with socket.create_server(("127.0.0.1", self._ports.msp)) as listener:
            listener.settimeout(0.2)
            while not self._done.is_set():
                with contextlib.suppress(OSError):
                    client, _ = listener.accept()
                    with client:
                        self._read(client)

    def _read(self, sock: socket.socket) -> None:
        sock.settimeout(0.2)
        until_s = time.monotonic() + self._stay_s
        while time.monotonic() < until_s and not self._done.is_set():
            with contextlib.suppress(TimeoutError):
                if not sock.recv(65536):
                    return


class StepTimes:
    """Milliseconds of every step: on the wall, and of the processor; their memory is taken at the start."""

    def __init__(self, frames: int, real_every: int) -> None:
        self._ms = np.full((frames, 2), np.nan, np.float32)  # wall, processor
        self._is_real = np.arange(frames) % real_every == 0

    def put(self, number: int, wall_ms: float, cpu_ms: float) -> None:
        """Note one step."""
        self._ms[number] = wall_ms, cpu_ms

    def of(self, tenth: slice, *, is_real: bool) -> str:
        """Say how long steps took in a part of the flight."""
        some = self._ms[tenth][self._is_real[tenth] == is_real]
        return f"{quantiles(some[:, 0])}; of the processor {quantiles(some[:, 1])}" if len(some) else "none"


def soak(flight_path: Path, tiles: Path, folder: Path, *, frames: int, real_every: int, threads: int) -> None:
    """Fly so many frames, and print what the process holds at a tenth and at the end, and how long steps took."""
    flight, ports, config = Flight.open(flight_path), free_ports(), folder / "skyfix.toml"
    config.write_text(config_text(flight_path, tiles, ports, threads=threads))
    settings, cache = Settings.read(config), TileCache.open(tiles, lazy=True)
    logging.disable(logging.WARNING)  # of links that break, as they are made to
    real = open_localizer(cache, flight.camera, bundle=None, matcher=None, start=None, threads=threads)
    localizer = cast(Localizer, BlindLocalizer(real, _round_of(flight_path), real_every))
    keeper = StateKeeper(folder / "state.json", FlightIdentity.of(cache))
    times, tenth = StepTimes(frames, real_every), max(frames // TENTHS, 1)
    with Drain(ports), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", ports.mavlink))
        loop = Loop(localizer, _links(settings), monotonic_us, keeper=keeper)

        def send(said: Said) -> None:  # to the links as they are then
            loop.outbox.put(said)

        loop.ticker = Ticker(send, monotonic_us, lambda: (math.nan, math.nan))
        loop.ticker.start()
        began_s = time.monotonic()
        print(f"soak: {frames} frames, 1 in {real_every} really located; links opened {_REOPENED} times")
        for number, frame in enumerate(itertools.islice(_frames(flight, real_every), frames)):
            if number and number % max(frames // _REOPENED, 1) == 0:
                loop.outbox.close()
                loop.outbox = _links(settings)
            times.put(number, *_timed(loop, frame))
            loop.alive()
            if (number + 1) % tenth == 0:
                _print_held(number + 1, time.monotonic() - began_s)
        loop.ticker.stop()
        loop.outbox.close()
    for name, is_real in (("blind", False), ("located", True)):
        for part, of in (("first", slice(tenth)), ("last", slice(frames - tenth, None))):
            print(f"  {name:<8} {part:<5} tenth {times.of(of, is_real=is_real)}")
    size_mb = (folder / "fixes.jsonl").stat().st_size / 2**20
    print(f"  {loop.health}; fixes.jsonl {size_mb:.0f} MB, load average {os.getloadavg()[0]:.1f}")


def _links(settings: Settings) -> Fanout:
    fanout = Fanout(open_links(settings, None))
    fanout.start()
    return fanout


def _timed(loop: Loop, frame: Frame) -> tuple[float, float]:
    wall_s, cpu_s = time.perf_counter(), time.thread_time()
    loop.step(frame, monotonic_us() - frame.t_us)
    return (time.perf_counter() - wall_s) * 1e3, (time.thread_time() - cpu_s) * 1e3


def _round_of(flight: Path) -> list[LatLon]:
    """Return the true places of a round there and back."""
    there = [one.drone for one in read_truth(flight / "truth.csv").values()]
    places = [one for one in there if one is not None]
    return [*places, *places[-2:0:-1]]


def _frames(flight: Flight, real_every: int) -> Iterator[Frame]:
    """Yield frames for ever, those with a picture that are really located."""
    rows = [*flight.telemetry]
    back = [replace(one, vel_north_mps=-one.vel_north_mps, vel_east_mps=-one.vel_east_mps) for one in rows[-2:0:-1]]
    images, rows = [*flight.images, *flight.images[-2:0:-1]], [*rows, *back]
    empty = np.empty((0, 0, 3), np.uint8)
    for number in itertools.count():
        told = replace(rows[number % len(rows)], t_us=number * PERIOD_US)
        picture = read_picture(images[number % len(rows)]) if number % real_every == 0 else empty
        yield Frame(told, picture)


def _print_held(number: int, since_s: float) -> None:
    """Print what the process holds now."""
    gc.collect()
    pid = os.getpid()
    print(
        f"  {number:>8} frames, {since_s:5.0f} s: {resident_mb(pid):.1f} MB, {descriptors(pid)} descriptors, "
        f"{threading.active_count()} threads of ours, {system_threads(pid)} of the system",
        flush=True,
    )
