"""A camera in a process of its own: what goes wrong there is told, mended, and never stops the one who flies."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from runtime.cameras.capture import Capture
from runtime.cameras.source import Shot
from runtime.errors import SettingsError
from tests.paths import ROOT
from tests.runtime.cameras import fake_sources as fake
from tests.runtime.cameras.fake_sources import number_of


def until(true: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Wait until it is; a busy machine is no failure, so limits are generous."""
    end_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(0.01)


def next_shot(capture: Capture) -> Shot:
    shot = capture.newest(10.0)
    assert shot is not None
    return shot


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_pictures_come_in_order_each_once_with_their_time(tmp_path: Path) -> None:
    with Capture(fake.FakeCamera(tmp_path)) as capture:
        shots = [next_shot(capture) for _ in range(10)]
        assert capture.health.state == "streaming"
    numbers = [number_of(shot) for shot in shots]
    assert numbers == sorted(set(numbers))
    assert [shot.name for shot in shots] == [str(number) for number in numbers]
    ages_us = [time.monotonic_ns() // 1000 - shot.exposed_at_us for shot in shots]
    assert ages_us == sorted(ages_us, reverse=True)
    assert 0 < ages_us[-1] < 5_000_000
    assert (tmp_path / "closed").exists(), "a driver is closed in good order"


def test_a_slow_reader_gets_the_newest_picture_whole_and_the_others_are_counted(tmp_path: Path) -> None:
    with Capture(fake.Large(tmp_path)) as capture:
        taken = []
        for _ in range(20):
            taken.append(number_of(next_shot(capture)))
            time.sleep(0.03)
        newest = next_shot(capture)
        assert time.monotonic_ns() // 1000 - newest.exposed_at_us < 1_000_000
        left_out = number_of(newest) - len(taken) - 1
        assert left_out > 20
        assert capture.dropped >= left_out


def test_many_pictures_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    def pages() -> int:
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (os.getpid(), capture.pid))

    with Capture(fake.Large(tmp_path)) as capture:
        first = number_of(next_shot(capture))
        until(lambda: number_of(next_shot(capture)) > first + 20)
        before = pages()
        until(lambda: number_of(next_shot(capture)) > first + 220)
        assert (pages() - before) * os.sysconf("SC_PAGE_SIZE") < 50e6, "200 pictures are 288 MB"


def test_pictures_may_change_their_size_and_may_be_empty(tmp_path: Path) -> None:
    with Capture(fake.Growing(tmp_path, pause_s=0.05)) as capture:
        shots = [next_shot(capture) for _ in range(12)]
    assert {shot.picture.shape for shot in shots} == {(0, 0, 3), (48, 64, 3), (240, 320, 3), (24, 32, 3)}
    assert all(number_of(shot) == int(shot.name) for shot in shots if shot.picture.size)


def test_a_driver_that_hangs_is_told_killed_and_opened_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Capture(fake.Hanging(tmp_path), stall_s=0.5) as capture:
        first_pid, last = capture.pid, 0.0
        while (shot := capture.newest(0.4)) is not None:
            last = time.monotonic()
            assert number_of(shot) <= 3
        until(lambda: capture.health.state == "stalled", 3.0)
        assert time.monotonic() - last < 2.5
        assert "fake camera has given no picture for 0.5 s; it is opened anew" in caplog.text
        assert number_of(next_shot(capture)) <= 3
        assert capture.health.restarts == 1
        assert capture.pid != first_pid
        assert first_pid is not None
        assert not alive(first_pid)
    assert "gives pictures again" in caplog.text


def test_a_driver_that_hangs_while_it_is_opened_is_killed_too(tmp_path: Path) -> None:
    with Capture(fake.HangingAtFirst(tmp_path), open_s=2.5) as capture:
        assert capture.health.state == "stalled"
        assert next_shot(capture)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_is_replaced_and_leaves_nothing_behind(kill: signal.Signals, tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    before = {path.name for path in shared.iterdir()} if shared.is_dir() else set()
    fds = len(list(Path("/proc/self/fd").iterdir()))
    with Capture(fake.FakeCamera(tmp_path)) as capture:
        next_shot(capture)
        first = capture.pid
        assert first is not None
        os.kill(first, kill)
        until(lambda: capture.health.state == "lost")
        assert f"signal {kill.value}" in capture.health.text
        until(lambda: capture.health.state == "streaming")
        assert (capture.health.restarts, alive(first)) == (1, False)
        second = capture.pid
        assert second is not None
        os.kill(second, signal.SIGKILL)
    assert not alive(second)
    assert len(list(Path("/proc/self/fd").iterdir())) == fds
    if shared.is_dir():
        assert {path.name for path in shared.iterdir() if "skyfix" in path.name} <= before


def test_a_service_that_is_told_to_end_closes_its_camera_itself(tmp_path: Path) -> None:
    """Such a signal goes to all of a service's processes."""
    with Capture(fake.FakeCamera(tmp_path)) as capture:
        before = number_of(next_shot(capture))
        pid = capture.pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        until(lambda: number_of(next_shot(capture)) > before + 5)
        assert (capture.pid, capture.health.restarts) == (pid, 0)
    assert (tmp_path / "closed").exists()


def test_a_driver_that_takes_its_process_down_is_lost_and_tried_again(tmp_path: Path) -> None:
    with Capture(fake.Crashing(tmp_path)) as capture:
        assert number_of(next_shot(capture)) == 1
        assert number_of(next_shot(capture)) == 1
        until(lambda: capture.health.state == "lost")
        assert "signal 6" in capture.health.text


def test_a_camera_that_is_not_there_is_told_once_and_tried_with_pauses_that_grow(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Capture(fake.Unplugged(tmp_path)) as capture:
        assert capture.health.state == "lost"
        assert capture.health.text.endswith("fake camera is not plugged in")
        assert capture.newest(0.1) is None
        until(lambda: len((tmp_path / "opened").read_text().splitlines()) == 3)
        (tmp_path / "plugged").touch()
        assert number_of(next_shot(capture)) == 1
    times_s = [float(line) for line in (tmp_path / "opened").read_text().splitlines()]
    assert len(times_s) == 4
    pauses_s = [after - before for before, after in pairwise(times_s)]
    for pause_s, least_s in zip(pauses_s, (0.5, 1.0, 2.0), strict=True):
        assert pause_s >= least_s
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2, warnings


def test_what_nothing_will_mend_comes_back_as_the_error_that_it_is(tmp_path: Path) -> None:
    capture = Capture(fake.Impossible(tmp_path))
    with pytest.raises(SettingsError, match="fake camera has no mode 7; expected 0 to 3"):
        capture.start()
    assert capture.pid is None


def test_a_source_with_an_end_gives_its_last_picture_and_has_ended(tmp_path: Path) -> None:
    with Capture(fake.Finite(tmp_path)) as capture:
        numbers = []
        while not capture.ended:
            shot = capture.newest(10.0)
            numbers += [] if shot is None else [number_of(shot)]
        assert numbers[-1] == 5
        assert capture.newest(10.0) is None
        assert capture.health.restarts == 0


@pytest.mark.parametrize("source", [fake.FakeCamera, fake.Hanging])
def test_closing_ends_the_process_within_a_second_even_where_it_hangs(
    source: type[fake.FakeCamera], tmp_path: Path
) -> None:
    capture = Capture(source(tmp_path), stall_s=60.0)
    capture.start()
    pid = capture.pid
    assert pid is not None
    until(lambda: (shot := capture.newest(1.0)) is None or number_of(shot) >= 3)
    began_s = time.monotonic()
    capture.close()
    capture.close()
    assert time.monotonic() - began_s < 2.0  # 1 s, and a busy machine
    assert not alive(pid)


_PARENT = """
import sys, time
from pathlib import Path
from runtime.cameras.capture import Capture
from tests.runtime.cameras.fake_sources import Hanging
capture = Capture(Hanging(Path(sys.argv[1])), stall_s=60.0)
capture.start()
while capture.newest(1.0) is not None:
    pass  # until its driver hangs
print(capture.pid, flush=True)
time.sleep(60.0)
"""


def test_a_parent_that_is_killed_takes_its_camera_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PARENT, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        assert parent.stdout.read() == "", "what drivers print is not among the fixes"
    until(lambda: not alive(pid), 2.0)
