"""All links at once: a slow, a broken and a hanging one cost the others and the caller nothing."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.errors import SettingsError
from runtime.link import worker
from runtime.link.fanout import Fanout
from runtime.link.jsonl import JsonlPort
from runtime.link.link import Notice, Said
from runtime.link.nmea_port import nmea_port
from runtime.ways.address import Address
from tests.runtime.link.saying import nothing_said, said
from tests.waiting import wait_until


class _Link:
    """Remembers what it was told; does something first."""

    def __init__(self, first: Callable[[], object] = lambda: None, *, wants_carried: bool = False) -> None:
        self.name = "a link"
        self.wants_carried = wants_carried
        self.first = first
        self.told: list[int] = []
        self.notices: list[str] = []
        self.calls: list[str] = []
        self.open_errors: list[Exception] = []

    def open(self) -> None:
        self.calls.append("open")
        if self.open_errors:
            raise self.open_errors.pop(0)

    def send(self, said: Said) -> None:
        self.first()
        self.told.append(said.exposed_at_us)

    def notify(self, notice: Notice) -> None:
        self.first()
        self.notices.append(notice.text)

    def tick(self) -> None:
        self.calls.append("tick")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def end() -> Iterator[threading.Event]:
    """What hangs waits for this, so that no thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


def test_a_slow_a_broken_and_a_hanging_link_delay_nobody(end: threading.Event) -> None:
    def breaks() -> None:
        raise OSError("the cable is out")

    quick, slow, broken, hanging = _Link(), _Link(lambda: end.wait(0.3)), _Link(breaks), _Link(end.wait)
    fanout = Fanout([hanging, broken, slow, quick])
    fanout.start()
    longest_s = 0.0
    for t_us in range(50):
        began_s = time.monotonic()
        fanout.put(nothing_said(t_us))
        longest_s = max(longest_s, time.monotonic() - began_s)
        assert wait_until(lambda last=t_us: quick.told[-1:] == [last])  # type: ignore[misc]
    assert longest_s < 0.2
    assert quick.told == list(range(50))
    assert wait_until(lambda: slow.told[-1:] == [49]), "the newest arrives"
    hung, failed, late, well = fanout.states()
    assert len(slow.told) + late.overtaken == 50 and late.overtaken > 0
    assert hung.overtaken == 48 and hung.sent == 0  # one hangs, one waits
    assert failed.failures > 0 and failed.trouble == "the cable is out" and not failed.is_open
    assert (well.sent, well.overtaken, well.failures, well.is_open) == (50, 0, 0, True)
    assert not fanout.drain(0.1)
    began_s = time.monotonic()
    fanout.close()
    assert time.monotonic() - began_s < 1.5
    assert quick.calls[-1] == "close" and hanging.calls[-1] != "close"


def test_draining_waits_for_what_is_on_its_way(end: threading.Event) -> None:
    begun = threading.Event()
    link = _Link(lambda: begun.set() or end.wait(0.3))  # type: ignore[func-returns-value]
    fanout = Fanout([link])
    fanout.start()
    fanout.put(nothing_said(1))
    assert begun.wait(5) and fanout.drain(5)
    assert link.told == [1]
    fanout.close()


def test_a_server_that_is_killed_and_started_again_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "FIRST_BACK_OFF_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        fanout = Fanout([nmea_port(Address("tcp", *address), ("GGA",))])
        fanout.start()
        server.accept()[0].close()
    assert wait_until(lambda: not fanout.states()[0].is_open)
    with socket.create_server(address) as server:
        server.settimeout(5)
        peer, _ = server.accept()
        assert wait_until(lambda: fanout.states()[0].is_open)
        fanout.put(said())
        with peer:
            peer.settimeout(5)
            assert peer.recv(1000).startswith(b"$GPGGA,")
    fanout.close()


def test_a_link_that_broke_is_told_once_and_opened_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FIRST_BACK_OFF_S", 0.01)
    caplog.set_level(logging.INFO)
    link = _Link()
    link.open_errors = [OSError("nobody there") for _ in range(3)]
    fanout = Fanout([link])
    fanout.start()
    assert wait_until(lambda: fanout.states()[0].is_open)
    fanout.put(nothing_said(1))
    assert fanout.drain(5) and link.told == [1]
    assert fanout.states()[0].failures == 3 and link.calls.count("open") == 4
    fanout.close()
    assert [record.message for record in caplog.records] == ["a link: nobody there; trying again", "a link works again"]


def test_waits_between_tries_double_up_to_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    link = _Link()
    link.open_errors = [OSError("nobody there")] * 7
    one = worker.LinkWorker(link, lossless=False)

    def note(is_true: Callable[[], bool], timeout_s: float) -> bool:
        waits.append(timeout_s)
        one._is_stopping = len(waits) == 7
        return True

    monkeypatch.setattr(one, "_wait", note)
    one._run()
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_settings_that_can_never_work_are_told_to_the_caller() -> None:
    well, wrong = _Link(), _Link()
    wrong.open_errors = [SettingsError("[[link]] url is wrong")]
    fanout = Fanout([well, wrong])
    with pytest.raises(SettingsError, match="url is wrong"):
        fanout.start()
    assert well.calls[-1] == "close" and wrong.calls == ["open"]


def test_a_bug_in_a_link_breaks_that_link_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise ZeroDivisionError("by nothing")

    wrong, well = _Link(fails), _Link()
    fanout = Fanout([wrong, well])
    fanout.start()
    fanout.put(nothing_said(1))
    assert wait_until(lambda: fanout.states()[0].trouble == "by nothing" and well.told == [1])
    assert "Traceback" in caplog.text
    fanout.close()


def test_moments_go_to_who_wants_them_and_overtake_no_frame(end: threading.Event) -> None:
    frames, moments = _Link(), _Link(end.wait, wants_carried=True)
    fanout = Fanout([frames, moments])
    assert fanout.wants_carried and not Fanout([frames]).wants_carried
    fanout.start()
    fanout.put(said(exposed_at_us=1))
    assert wait_until(lambda: frames.told == [1])
    fanout.put(said(exposed_at_us=2))
    for t_us in (3, 4, 5):
        fanout.put(said(exposed_at_us=t_us, is_carried=True))
    assert wait_until(lambda: frames.told == [1, 2])
    end.set()
    assert fanout.drain(5)
    assert frames.told == [1, 2] and moments.told == [1, 2, 5]
    fanout.close()


def test_no_verdict_of_a_recording_is_lost(tmp_path: Path, end: threading.Event) -> None:
    slow = _Link(lambda: end.wait(0.002))
    down = _Link()
    down.open_errors = [OSError("nobody there")] * 100
    fanout = Fanout([JsonlPort(str(tmp_path / "fixes.jsonl")), slow, down], lossless=True)
    fanout.start()
    for t_us in range(300):
        fanout.put(nothing_said(t_us))
    assert not fanout.drain(1.0), "the one that is down still holds its last"
    lines = (tmp_path / "fixes.jsonl").read_text().splitlines()
    assert [json.loads(line)["t_us"] for line in lines] == slow.told == list(range(300))
    assert [state.overtaken for state in fanout.states()] == [0, 0, 299]
    fanout.close()


def test_a_flight_that_is_to_end_waits_for_no_link_that_takes_nothing(end: threading.Event) -> None:
    is_ending = threading.Event()
    fanout = Fanout([_Link(end.wait)], lossless=True, hurries=is_ending.is_set)
    fanout.start()
    fanout.put(nothing_said(1))
    threading.Timer(0.2, is_ending.set).start()
    putting = threading.Thread(target=lambda: [fanout.put(nothing_said(t_us)) for t_us in (2, 3)], daemon=True)
    putting.start()
    putting.join(5.0)
    assert not putting.is_alive()
    assert is_ending.is_set(), "until then it waits"
    end.set()
    fanout.close()


def test_a_pipe_that_nobody_reads_is_known_until_somebody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "FIRST_BACK_OFF_S", 0.01)
    troubles: list[OSError] = [OSError(28, "No space left on device")]

    def breaks() -> None:
        if troubles:
            raise troubles.pop()

    fanout = Fanout([_Link(breaks)])
    fanout.start()
    for trouble, is_unread in ((None, False), (BrokenPipeError(32, "Broken pipe"), True), (None, False)):
        failures = fanout.states()[0].failures
        if trouble is not None:
            troubles.append(trouble)
        fanout.put(nothing_said(1))
        assert fanout.drain(5)
        assert wait_until(lambda: fanout.states()[0].is_open)
        assert fanout.states()[0].is_unread == is_unread
        assert fanout.states()[0].failures == failures + (trouble is not None or failures == 0)
    fanout.close()


def test_links_that_were_open_before_are_refused_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "FIRST_BACK_OFF_S", 0.01)
    link = _Link()
    link.open_errors = [SettingsError("the port is taken by another program")] * 3
    fanout = Fanout([link], is_patient=True)
    fanout.start()
    assert wait_until(lambda: fanout.states()[0].is_open)
    fanout.close()


def test_a_verdict_of_a_recording_that_met_a_broken_link_is_sent_when_it_works_again() -> None:
    troubles = [OSError("once")]

    def breaks_once() -> None:
        if troubles:
            raise troubles.pop()

    link = _Link(breaks_once)
    fanout = Fanout([link], lossless=True)
    fanout.start()
    fanout.put(nothing_said(1))
    assert fanout.drain(5) and link.told == [1]
    fanout.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_shows_in_the_links_state() -> None:
    fanout = Fanout([JsonlPort("/dev/full")], lossless=True)
    fanout.start()
    for t_us in range(3):
        fanout.put(nothing_said(t_us))
    assert wait_until(lambda: "No space left" in fanout.states()[0].trouble)
    assert not fanout.drain(0.1)
    fanout.close()


def test_notices_are_few_and_links_are_ticked(end: threading.Event) -> None:
    link = _Link(end.wait)
    fanout = Fanout([link])
    fanout.start()
    assert wait_until(lambda: link.calls.count("tick") >= 3)
    for i in range(30):
        fanout.notify(Notice("info", str(i)))
    end.set()
    assert fanout.drain(5)
    assert link.notices[-16:] == [str(i) for i in range(14, 30)]
    assert len(link.notices) + fanout.states()[0].notices_lost == 30
    fanout.close()
