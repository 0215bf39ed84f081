"""Faults around the daemon: full disks, closed outputs, links that are lost, ports that are taken, files that change
under it, peers that flood it with garbage. It says so once, in words, flies on, and is whole again when they are over.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.flights.flight import Flight
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from tests.scenarios.faulty import ABSURD_M, DaemonProcess, to_and_fro
from tests.scenarios.test_aircraft import Vehicle, lines_of
from tests.waiting import free_port, wait_for

BACK_S = 10.0
"""Within which all is well again."""

TURN_M = 50.0
"""By so much motion alone may miss a turn on the spot at 25 m/s, which no drone flies: a second there, one back."""


@pytest.fixture(scope="module")
def long_flight(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small flight to and fro for four minutes, a frame a second."""
    folder = tmp_path_factory.mktemp("long") / "flight"
    shutil.copytree(small_world / "flight", folder)
    header, *rows = (folder / "telemetry.csv").read_text().splitlines()
    written = [header]
    for second, place in enumerate(itertools.islice(to_and_fro(len(rows)), 240)):
        cells = rows[place].split(",")
        written.append(",".join([str(second * 1_000_000), *cells[1:7], "", "", cells[9]]))
    (folder / "telemetry.csv").write_text("\n".join(written) + "\n")
    return folder


def configured(folder: Path, flight: Path, tiles: Path, more: str = "", camera: str = "realtime = true") -> Path:
    """Write a configuration; ``more`` comes at its end."""
    path = folder / "skyfix.toml"
    path.write_text(
        f'[map]\ntiles = "{tiles}"\n[model]\nthreads = 1\n'
        f'[camera]\nsource = "{flight}"\ncalibration = "{flight}/camera.yaml"\n{camera}\n{more}'
    )
    return path


def fixes_in(path: Path) -> list[dict[str, Any]]:
    return [line for line in lines_of(path) if "lat" in line]


@pytest.fixture(scope="module")
def in_flight(
    long_flight: Path, town: Path, drones: dict[int, LatLon], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DaemonProcess, Path, int, int]]:
    """A daemon that is flying: it, its folder, the port of its telemetry, and that of the server it sends NMEA to."""
    folder, port, server = tmp_path_factory.mktemp("in_flight"), free_port(), free_port(socket.SOCK_STREAM)
    (folder / "full.jsonl").symlink_to(folder / "disk.jsonl")
    links = (
        f'[telemetry]\nsource = "mavlink:udpin:127.0.0.1:{port}"\n'
        '[[link]]\nkind = "mavlink"\nurl = "telemetry"\nmessages = ["GLOBAL_POSITION_SENSOR"]\n'
        f'[[link]]\nkind = "nmea"\nurl = "tcp:127.0.0.1:{server}"\n'
        '[[link]]\nkind = "jsonl"\npath = "full.jsonl"\n[[link]]\nkind = "jsonl"\npath = "fixes.jsonl"\n'
    )
    config = configured(folder, long_flight, town, links)
    first = drones[0]
    with Vehicle(Flight.open(long_flight), port, first, folder / "fixes.jsonl"), DaemonProcess(config) as daemon:
        wait_for(lambda: bool(fixes_in(folder / "fixes.jsonl")), 30.0)
        yield daemon, folder, port, server
        assert daemon.end() == 0
        assert not daemon.says("Traceback")
        lines = [line for name in ("rotated.jsonl", "fixes.jsonl") for line in lines_of(folder / name)]
        _check_places(lines, [drones[t_us] for t_us in sorted(drones)])


def _check_places(lines: list[dict[str, Any]], truth: list[LatLon]) -> None:
    """Every fix of the whole flight is where the drone was, a place a second."""
    places = list(itertools.islice(to_and_fro(len(truth)), 240))
    for line in lines:
        if "lat" in line:
            drone = truth[places[round((line["t_us"] - lines[0]["t_us"]) * 1e-6)]]
            turn_m = TURN_M if line["source"] == "dead_reckoning" else 0.0
            assert distance_m(LatLon(line["lat"], line["lon"]), drone) <= max(line["hpl_m"], ABSURD_M) + turn_m, line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_is_full_is_told_once_and_written_to_when_there_is_room(
    in_flight: tuple[DaemonProcess, Path, int, int],
) -> None:
    daemon, folder, _, _ = in_flight
    disk, other = folder / "disk.jsonl", folder / "fixes.jsonl"
    wait_for(disk.is_file, BACK_S)
    full = folder / "next"
    full.symlink_to("/dev/full")
    full.replace(folder / "full.jsonl")
    daemon.process.send_signal(signal.SIGHUP)  # the links are opened anew
    wait_for(lambda: daemon.says("No space left on device; trying again"), BACK_S)
    count = len(lines_of(other))
    wait_for(lambda: len(lines_of(other)) > count, BACK_S)  # the other link goes on
    full.symlink_to(disk)
    full.replace(folder / "full.jsonl")
    count = len(lines_of(disk))
    wait_for(lambda: len(lines_of(disk)) > count, BACK_S)
    wait_for(lambda: daemon.says("full.jsonl works again"), BACK_S)
    assert sum("No space left" in line for line in daemon.lines) == 1


def test_a_link_that_is_lost_is_told_once_and_is_back(in_flight: tuple[DaemonProcess, Path, int, int]) -> None:
    daemon, _, _, port = in_flight
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)) as server:
            server.settimeout(BACK_S + 1.0)
            peer, _ = server.accept()
            with peer:
                peer.settimeout(BACK_S)
                assert peer.recv(1_000).startswith(b"$GPGGA,")
                time.sleep(1.0)
    wait_for(lambda: daemon.says(f"nmea tcp:127.0.0.1:{port}: "), BACK_S)
    assert sum("the server has closed the connection; trying again" in line for line in daemon.lines) <= 2


def test_a_peer_that_floods_garbage_costs_at_most_its_own_time(
    in_flight: tuple[DaemonProcess, Path, int, int],
) -> None:
    """What it crowds out of the telemetry's queue is unknown, and fixes are back when it stops."""
    daemon, folder, port, _ = in_flight
    fixes, rng = folder / "fixes.jsonl", np.random.default_rng(0)
    garbage = [b"\xfd" + rng.bytes(1_200) for _ in range(20)]
    before = len(lines_of(fixes))
    until_s = time.monotonic() + 3.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        while time.monotonic() < until_s:
            for data in garbage:
                peer.sendto(data, ("127.0.0.1", port))
            time.sleep(0.005)
    assert len(lines_of(fixes)) >= before + 2, "a verdict a frame also meanwhile"
    count = len(fixes_in(fixes))
    wait_for(lambda: len(fixes_in(fixes)) > count, BACK_S)
    assert daemon.process.poll() is None


def test_links_are_opened_anew_and_a_wrong_configuration_changes_nothing(
    in_flight: tuple[DaemonProcess, Path, int, int],
) -> None:
    daemon, folder, _, _ = in_flight
    config, good = folder / "skyfix.toml", (folder / "skyfix.toml").read_text()
    config.rename(folder / "away.toml")
    config.mkdir()
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.says("is not read again"), BACK_S)
    config.rmdir()
    config.write_text(good.replace('kind = "nmea"', 'kind = "nmae"'))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.says("did you mean 'nmea'?"), BACK_S)
    config.write_text(good)
    (folder / "fixes.jsonl").rename(folder / "rotated.jsonl")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: bool(lines_of(folder / "fixes.jsonl")), BACK_S)
    assert daemon.process.poll() is None


def test_a_reader_that_does_not_read_stops_no_signal(long_flight: Path, town: Path, tmp_path: Path) -> None:
    """The pipe is full from the beginning: the first line waits in it, and with the second the flight."""
    config = configured(tmp_path, long_flight, town, '[state]\nfile = "state.json"\n', camera="")
    unread, pipe = os.pipe()
    os.set_blocking(pipe, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(pipe, b"\n" * 65_536)
    os.set_blocking(pipe, True)
    with DaemonProcess(config, stdout=pipe) as daemon:
        wait_for((tmp_path / "state.json").is_file, 60.0)  # the first frame is flown
        time.sleep(2.0)
        assert daemon.end() == 0
        assert not daemon.says("Traceback")
    os.close(pipe)
    os.close(unread)


def test_a_state_and_a_log_that_cannot_be_written_end_no_flight(small_world: Path, town: Path, tmp_path: Path) -> None:
    """A limit on the size of files does what a full disk does; every line goes to standard output, a pipe."""
    config = configured(tmp_path, small_world / "flight", town, '[state]\nfile = "state.json"\n', camera="")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    with DaemonProcess(config, stdout=subprocess.PIPE, preexec_fn=limit) as daemon:
        out, _ = daemon.process.communicate(timeout=60)
    assert daemon.process.returncode == 0
    assert len([json.loads(line) for line in out.splitlines()]) == 6
    assert daemon.said.stat().st_size == 500, "the log is full"
    assert not (tmp_path / "state.json").exists()


def test_a_telemetry_port_that_is_taken_is_told_and_listened_to_when_it_is_free(
    *, long_flight: Path, town: Path, drones: dict[int, LatLon], tmp_path: Path
) -> None:
    port = free_port()
    telemetry = f'[telemetry]\nsource = "mavlink:udpin:127.0.0.1:{port}"\n[[link]]\nkind = "jsonl"\npath = "f.jsonl"\n'
    config = configured(tmp_path, long_flight, town, telemetry)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ground_station:
        ground_station.bind(("127.0.0.1", port))
        with DaemonProcess(config) as daemon:
            wait_for(lambda: daemon.says(f"port {port} is taken by another program"), 30.0)
            wait_for(lambda: any(line.get("no_fix") == "no_altitude" for line in lines_of(tmp_path / "f.jsonl")), 10.0)
            ground_station.close()
            with Vehicle(Flight.open(long_flight), port, drones[0], tmp_path / "f.jsonl"):
                wait_for(lambda: bool(fixes_in(tmp_path / "f.jsonl")), BACK_S + 2.0)
                assert daemon.end() == 0
        assert daemon.says("vehicle 1 is heard")
        assert not daemon.says("Traceback")


def test_a_link_s_port_that_is_taken_ends_it_in_one_line_that_names_the_port(
    small_world: Path, town: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        link = f'[[link]]\nkind = "nmea"\nurl = "tcpin:127.0.0.1:{port}"\n'
        with DaemonProcess(configured(tmp_path, small_world / "flight", town, link)) as daemon:
            assert daemon.process.wait(timeout=30) == 1
    (line,) = daemon.lines
    assert f"[[link]] url tcpin:127.0.0.1:{port}: port {port} is taken by another program" in line


def test_files_that_change_in_flight_are_flown_on_without_or_end_it_in_one_line(
    *, long_flight: Path, town: Path, default_bundle: Path, tmp_path: Path
) -> None:
    """A bundle is in memory, a cache that is replaced is still open; one that is cut in place is told, never read."""
    for ending in (".tiles", ".mbtiles"):
        shutil.copy(town.with_suffix(ending), tmp_path)
    bundle = Path(shutil.copytree(default_bundle, tmp_path / "my.bundle"))
    config = configured(tmp_path, long_flight, tmp_path / town.name, '[[link]]\nkind = "jsonl"\npath = "f.jsonl"\n')
    config.write_text(config.read_text().replace("[model]\n", '[model]\nbundle = "my.bundle"\n'))
    fixes, cache = tmp_path / "f.jsonl", tmp_path / town.name
    # A track reads no row of the cache: here each frame is looked for everywhere.
    prelude = "from runtime.locate.belief import Belief\nBelief.tracking = property(lambda self: False)"
    with DaemonProcess(config, prelude=prelude) as daemon:
        wait_for(lambda: bool(fixes_in(fixes)), 30.0)
        for file in bundle.rglob("*"):
            if file.is_file():
                file.write_bytes(b"garbage")
        for ending in (".tiles", ".mbtiles"):
            shutil.copy(cache.with_suffix(ending), tmp_path / f"kept{ending}")
            (tmp_path / f"new{ending}").write_bytes(b"another")
            os.link(cache.with_suffix(ending), tmp_path / f"held{ending}")
            (tmp_path / f"new{ending}").replace(cache.with_suffix(ending))
        count = len(fixes_in(fixes))
        wait_for(lambda: len(fixes_in(fixes)) >= count + 2, BACK_S)
        for ending in (".tiles", ".mbtiles"):
            (tmp_path / f"held{ending}").replace(cache.with_suffix(ending))
        os.truncate(cache, 4_096)
        assert daemon.process.wait(timeout=BACK_S) == 1
    assert f"{cache} was cut to 4,096 of" in daemon.lines[-1]
    assert not daemon.says("Traceback")


def test_a_computer_s_clock_that_is_set_an_hour_forth_and_back_changes_nothing(
    long_flight: Path, town: Path, tmp_path: Path
) -> None:
    """Flights run by the monotonic clock; receivers are told one time of day, which never steps."""
    prelude = (
        "import time\nns, s, began = time.time_ns, time.time, time.monotonic()\n"
        "def off(): return 3600 * ((int(time.monotonic() - began) // 2) % 2)\n"
        "time.time_ns, time.time = lambda: ns() + off() * 10**9, lambda: s() + off()"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(BACK_S)
        links = (
            f'[[link]]\nkind = "nmea"\nurl = "udpout:127.0.0.1:{ear.getsockname()[1]}"\nmessages = ["GGA"]\n'
            '[[link]]\nkind = "jsonl"\npath = "f.jsonl"\n'
        )
        config = configured(tmp_path, long_flight, town, links)
        with DaemonProcess(config, prelude=prelude) as daemon:
            times_s = []
            wait_for(lambda: bool(fixes_in(tmp_path / "f.jsonl")), 30.0)
            until_s = time.monotonic() + 6.0
            while time.monotonic() < until_s:
                clock = ear.recv(1_000).split(b",")[1]
                if clock:
                    times_s.append(int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + float(clock[4:]))
            assert daemon.end() == 0
    steps_s = [(b - a) % 86_400 for a, b in itertools.pairwise(times_s)]
    assert len(steps_s) > 20
    assert max(steps_s) < 60.0, "on a busy machine a second or more may pass; an hour never does"
    lines = lines_of(tmp_path / "f.jsonl")
    assert {line.get("no_fix") for line in lines} <= {None, "unconfirmed", "ambiguous", "no_match"}
