"""Faults in flight: each gets the verdicts that an integrator can act on, no wrong fix is said, and it is over when the
fault is over: within ten seconds there are fixes again. Here those of pictures, of telemetry, of clocks and of cameras.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.cameras.capture import Capture
from runtime.clock import monotonic_us
from runtime.daemon.frames import live
from runtime.daemon.loop import Loop
from runtime.fix import Fix, NoFix, Verdict
from runtime.flights.flight import Flight
from runtime.frame import Frame, Telemetry
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.link.fanout import Fanout
from runtime.locate.load import open_localizer
from runtime.locate.localizer import Localizer
from runtime.tiles.cache import TileCache
from tests.runtime.daemon.collecting import Collecting
from tests.scenarios.faulty import (
    ABSURD_M,
    DaemonProcess,
    Spoil,
    TownCamera,
    flown,
    is_honest,
    place_of,
    through_buffer,
    to_and_fro,
)
from tests.waiting import wait_for

BEFORE, DURING, AFTER = 4, 5, 6  # frames, two seconds each: 10 s after a fault are five frames, and the one at its end


@pytest.fixture(scope="module")
def localizer(town: Path, flight: Flight) -> Localizer:
    cache = TileCache.open(town, lazy=True)
    return open_localizer(cache, flight.camera, bundle=None, matcher=None, start=None, threads=1)


@pytest.fixture(scope="module")
def truth(drones: dict[int, LatLon]) -> list[LatLon]:
    return [drones[t_us] for t_us in sorted(drones)]


@pytest.fixture
def loop(localizer: Localizer) -> Iterator[Loop]:
    """The daemon's loop, of a flight that begins; what it sends is collected."""
    localizer.forget(None)
    fanout = Fanout([Collecting()])
    fanout.start()
    yield Loop(localizer, fanout, monotonic_us)
    fanout.close()


def reasons_of(verdicts: list[Verdict]) -> set[str]:
    return {verdict.reason for verdict in verdicts if isinstance(verdict, NoFix)}


def is_registered(verdict: Verdict) -> bool:
    return isinstance(verdict, Fix) and verdict.source == "registration"


# Of pictures: one recording, flown by the daemon as a process


def _black(picture: Path) -> None:
    cv2.imwrite(str(picture), np.zeros((360, 640, 3), np.uint8))


def _other_size(picture: Path) -> None:
    read = cv2.imread(str(picture))
    assert read is not None
    cv2.imwrite(str(picture), read[:, :480])


def _garbage(picture: Path) -> None:
    picture.write_bytes(np.random.default_rng(0).bytes(20_000))


def _cut(picture: Path) -> None:
    picture.write_bytes(picture.read_bytes()[:3_000])


def _frozen(picture: Path) -> None:
    shutil.copy(picture.with_name(f"{int(picture.stem) - 1:04d}.jpg"), picture)


PICTURES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "black": (_black, {"blank_picture"}),
    "other size": (_other_size, {"other_camera"}),
    "corrupt": (_garbage, {"unreadable_picture"}),
    "cut short": (_cut, {"no_match", "blank_picture", "unreadable_picture", "frozen_picture"}),
    "missing": (Path.unlink, {"unreadable_picture"}),
    "frozen": (_frozen, {"frozen_picture"}),
}


@pytest.fixture(scope="module")
def picture_lines(
    small_world: Path, town: Path, frames: list[Frame], tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[int, dict[str, Any]]]:
    """The daemon's line of each frame of a recording that has every fault in turn, with the number of its place."""
    folder = tmp_path_factory.mktemp("pictures") / "flight"
    shutil.copytree(small_world / "flight", folder)
    header, *rows = (folder / "telemetry.csv").read_text().splitlines()
    places = list(itertools.islice(to_and_fro(len(rows)), len(PICTURES) * (BEFORE + DURING) + AFTER))
    written = [header]
    for number, place in enumerate(places):
        fault, at = divmod(number, BEFORE + DURING)
        cells = rows[place].split(",")
        name = f"{number:04d}.jpg" if number > 3 else Path(cells[1]).name
        if number > 3:
            shutil.copy(small_world / "flight" / cells[1], folder / "frames" / name)
        if at >= BEFORE and fault < len(PICTURES):
            [*PICTURES.values()][fault][0](folder / "frames" / name)
        written.append(",".join([str(number * 2_000_000), f"frames/{name}", *cells[2:7], "", "", cells[9]]))
    (folder / "telemetry.csv").write_text("\n".join(written) + "\n")
    config = folder.parent / "skyfix.toml"
    config.write_text(
        f'[map]\ntiles = "{town}"\n[model]\nthreads = 1\n'
        f'[camera]\nsource = "flight"\ncalibration = "flight/camera.yaml"\n'
        '[[link]]\nkind = "jsonl"\npath = "fixes.jsonl"\n'
    )
    with DaemonProcess(config) as daemon:
        assert daemon.process.wait(timeout=120) == 0, daemon.lines
        assert not daemon.says("Traceback")
    lines = [json.loads(line) for line in (folder.parent / "fixes.jsonl").read_text().splitlines()]
    assert len(lines) == len(places), "a frame, a line"
    return list(zip(places, lines, strict=True))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_that_show_nothing_get_their_reason_and_fixes_are_back_after_them(
    name: str, picture_lines: list[tuple[int, dict[str, Any]]], truth: list[LatLon]
) -> None:
    first = list(PICTURES).index(name) * (BEFORE + DURING) + BEFORE
    during = [line for _, line in picture_lines[first : first + DURING]]
    after = [line for _, line in picture_lines[first + DURING : first + DURING + BEFORE]]
    reasons = {line["no_fix"] for line in during if "no_fix" in line}
    assert reasons, "motion alone is not worth a fix for ten seconds"
    assert reasons <= PICTURES[name][1]
    assert {line["source"] for line in during if "lat" in line} <= {"dead_reckoning", "retrieval"}
    assert any(line.get("source") == "registration" for line in after)
    for place, line in picture_lines[first : first + DURING + BEFORE]:
        if "lat" in line:
            off_m = distance_m(LatLon(line["lat"], line["lon"]), truth[place])
            assert off_m <= max(line["hpl_m"], ABSURD_M)


# Of telemetry: through the buffer of a live flight

TELEMETRY: dict[str, tuple[Spoil, set[str]]] = {
    "lost": (lambda told, sample: None, {"no_altitude"}),
    "NaN": (
        lambda told, sample: replace(told, alt_agl_m=math.nan, cam_pitch_deg=math.nan, vel_north_mps=math.inf),
        {"no_altitude"},
    ),
    "an altitude that jumps": (
        lambda told, sample: replace(told, alt_agl_m=told.alt_agl_m * (30.0 if sample % 2 else 1.0)),
        {"no_altitude"},
    ),
    "an attitude that jumps": (
        lambda told, sample: replace(told, cam_pitch_deg=-90.0 + 120.0 * (sample % 2), cam_yaw_deg=97.0 * sample),
        {"no_pitch", "near_horizon", "no_match"},
    ),
}


@pytest.mark.parametrize("name", TELEMETRY)
def test_telemetry_that_says_nothing_gets_its_reason_and_fixes_are_back_with_it(
    name: str, loop: Loop, frames: list[Frame], truth: list[LatLon]
) -> None:
    spoil, expected = TELEMETRY[name]
    way = flown(frames, BEFORE + DURING + AFTER)
    told = through_buffer([frame for _, frame in way], range(BEFORE, BEFORE + DURING), spoil)
    verdicts = [loop.step(frame, 0) for frame in told]
    assert is_registered(verdicts[BEFORE - 1])
    assert reasons_of(verdicts[BEFORE : BEFORE + DURING])
    assert reasons_of(verdicts[BEFORE : BEFORE + DURING]) <= expected
    assert any(map(is_registered, verdicts[BEFORE + DURING : BEFORE + DURING + 5]))
    assert all(is_honest(verdict, truth[place]) for (place, _), verdict in zip(way, verdicts, strict=True))


def test_telemetry_that_stands_still_is_doubted_and_believed_again_when_it_moves(
    loop: Loop, frames: list[Frame], truth: list[LatLon]
) -> None:
    way = flown(frames, BEFORE + 8 + AFTER)
    stuck = way[BEFORE - 1][1].telemetry
    told = [replace(f, telemetry=replace(stuck, t_us=f.t_us)) if BEFORE <= n < BEFORE + 8 else f
            for n, (_, f) in enumerate(way)]  # fmt: skip
    verdicts = [loop.step(frame, 0) for frame in told]
    during = verdicts[BEFORE : BEFORE + 8]
    assert any("telemetry" in verdict.doubts for verdict in during)
    assert "frozen_telemetry" in reasons_of(during)
    assert any(map(is_registered, verdicts[BEFORE + 8 : BEFORE + 13]))
    assert all(is_honest(verdict, truth[place]) for (place, _), verdict in zip(way, verdicts, strict=True))


# Of clocks


@pytest.mark.parametrize("hour_us", [3_600_000_000, -3_600_000_000])
def test_a_writer_s_clock_that_is_set_an_hour_forth_or_back_and_back_again(
    hour_us: int, loop: Loop, frames: list[Frame], truth: list[LatLon]
) -> None:
    """It is a followed folder's: times that run backwards are refused four times, then believed: all begins anew."""
    way = flown(frames, BEFORE + 10 + 10)
    verdicts = []
    for number, (_, frame) in enumerate(way):
        set_us = hour_us if BEFORE <= number < BEFORE + 10 else 0
        told = replace(frame, telemetry=replace(frame.telemetry, t_us=frame.t_us + set_us))
        verdicts.append(loop.step(told, -set_us))
    back = BEFORE + 10 if hour_us > 0 else BEFORE
    assert [getattr(v, "reason", "") for v in verdicts[back : back + 4]] == ["time_ran_backwards"] * 4
    assert "time_ran_backwards" not in reasons_of(verdicts[:back] + verdicts[back + 4 :])
    assert any(map(is_registered, verdicts[back + 5 : back + 10]))
    forth = BEFORE if hour_us > 0 else BEFORE + 10
    assert any(map(is_registered, verdicts[forth : forth + 5]))
    assert all(is_honest(verdict, truth[place]) for (place, _), verdict in zip(way, verdicts, strict=True))


# Of cameras: in a process of its own, whose driver hangs and whose plug is pulled


def test_a_camera_that_hangs_or_is_pulled_out_is_opened_anew_and_flown_on_with(
    *, loop: Loop, small_world: Path, frames: list[Frame], truth: list[LatLon], tmp_path: Path
) -> None:
    pictures = tuple(sorted((small_world / "flight/frames").iterdir()))
    camera = TownCamera(tmp_path, pictures, monotonic_us())
    seen: list[tuple[int, Verdict]] = []
    step, done = loop.step, threading.Event()

    def telemetry_at(t_us: int) -> Telemetry:
        return replace(frames[place_of(camera.number_at(t_us), len(pictures))].telemetry, t_us=t_us,
                       vel_north_mps=math.nan, vel_east_mps=math.nan)  # fmt: skip

    def noted(frame: Frame, offset_us: int) -> Verdict:
        seen.append((int(frame.name), step(frame, offset_us)))
        return seen[-1][1]

    loop.step = noted  # type: ignore[method-assign]
    with Capture(camera, stall_s=1.6) as capture:
        stream = live(capture, telemetry_at, done.is_set)
        thread = threading.Thread(target=loop.fly, args=(stream, done.is_set))
        thread.start()
        try:
            wait_for(lambda: any(is_registered(verdict) for _, verdict in seen), 15.0)
            for fault, state in (("hangs", "stalled"), ("unplugged", "lost")):
                (tmp_path / fault).touch()
                wait_for(lambda state=state: capture.health.state == state, 5.0)  # type: ignore[misc]
                count = len(seen)
                (tmp_path / fault).unlink()
                wait_for(lambda count=count: any(is_registered(v) for _, v in seen[count:]), 10.0)  # type: ignore[misc]
        finally:
            done.set()
            thread.join(5.0)
    assert not thread.is_alive()
    assert all(is_honest(verdict, truth[place]) for place, verdict in seen)
