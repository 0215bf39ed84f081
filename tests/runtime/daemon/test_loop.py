"""A step of the daemon: each verdict is sent at once, what is doubted is in it, and a turn is said once."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from runtime.daemon.loop import Loop
from runtime.daemon.ticker import Newest, Ticker, carried
from runtime.fix import Doubt, Fix, NoFix, Verdict
from runtime.frame import Frame, Telemetry
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.link.fanout import Fanout
from runtime.link.link import Notice
from runtime.locate.belief import Belief
from runtime.locate.limits import Limits
from runtime.locate.outlook import Outlook
from runtime.locate.position import PositionMeasurement
from runtime.locate.posterior import Posterior
from runtime.locate.state import FlightState
from runtime.start import Start
from tests.runtime.daemon.collecting import Collecting

HOME = LatLon(47.0, 8.0)
FIX = Fix(0, 47.0, 8.0, None, None, None, None, (1.0, 0.0, 1.0), "registration", 0.0, 50, 1.0)
FRAME = Frame(Telemetry(0, 100.0, 0.0, -90.0, 0.0), np.zeros((4, 4, 3), np.uint8))


def flown_east() -> FlightState:
    """A drone that two registrations a second apart saw fly 10 m/s eastwards; times from 0 to 1 s."""
    belief = Belief(Posterior(4e6))
    for second in (0, 1):
        belief = belief.moved(second * 1_000_000, np.array([10.0, 0.0]), None)
        belief = belief.registering(
            PositionMeasurement(second * 1_000_000, np.array([10.0 * second, 0.0]), np.eye(2), 0.002)
        )
    return FlightState(HOME, belief, newest_us=1_000_000)


@dataclass
class Scripted:
    """A localizer that says what it was given, one verdict a frame."""

    verdicts: Iterator[Verdict]
    forgotten: list[Start] = field(default_factory=list)

    def step(self, frame: Frame) -> Verdict:
        assert frame is FRAME
        return next(self.verdicts)

    @property
    def outlook(self) -> Outlook:
        return Outlook(flown_east(), Limits(), 1.0)

    def forget(self, start: Start) -> None:
        self.forgotten.append(start)


class Suspicious:
    """Doubts every second verdict, and says so."""

    def __init__(self) -> None:
        self.looked = 0

    def look(self, verdict: Verdict, exposed_at_us: int) -> tuple[tuple[Doubt, ...], Notice | None]:
        self.looked += 1
        return ((), None) if self.looked % 2 else (("gnss",), Notice("warning", "GNSS 300 m from the visual position"))


def fly(verdicts: Sequence[Verdict], **more: Any) -> tuple[Loop, Collecting]:
    """Fly so many frames, a second after each was exposed at 5 s on this computer's clock."""
    link = Collecting()
    localizer: Any = Scripted(iter(verdicts))
    with contextlib.closing(Fanout([link], lossless=True)) as fanout:
        fanout.start()
        loop = Loop(localizer, fanout, lambda: 6_000_000, **more)
        for _ in verdicts:
            loop.step(FRAME, 5_000_000)
        assert fanout.drain(5.0)
    return loop, link


def test_every_verdict_is_sent_with_its_time_on_this_computer_s_clock_and_counted() -> None:
    verdicts = [FIX, NoFix(1, "no_match"), NoFix(2, "ambiguous"), FIX]
    loop, link = fly(verdicts)
    assert [said.verdict for said in link.said] == verdicts
    assert {said.exposed_at_us for said in link.said} == {5_000_000}
    assert loop.health.counts == {"registration": 2, "no_match": 1, "ambiguous": 1}


def test_what_a_watch_doubts_is_in_the_line_and_the_pilot_is_told() -> None:
    _, link = fly([FIX] * 4, watches=(Suspicious(),))
    assert [said.verdict.doubts for said in link.said] == [(), ("gnss",), (), ("gnss",)]
    assert {notice.text for notice in link.notices} == {"GNSS 300 m from the visual position"}


def test_a_turn_is_said_once_and_a_bad_frame_is_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "runtime"):
        fly([*[FIX] * 5, NoFix(0, "no_match"), *[FIX] * 5])
        assert not caplog.records
        _, link = fly([*[NoFix(0, "no_match")] * 60, *[FIX] * 30])
    assert [(r.levelname, r.getMessage().partition(" (")[0]) for r in caplog.records] == [
        ("WARNING", "most frames give no fix"),
        ("INFO", "fixes are back"),
    ]
    assert [notice.text for notice in link.notices] == ["visual position lost: no match", "visual position is back"]


def test_an_operator_s_start_begins_the_flight_anew_once() -> None:
    starts = iter([None, Start(HOME, 50.0), None])
    loop, _ = fly([FIX] * 3, starts=lambda: next(starts))
    assert loop.localizer.forgotten == [Start(HOME, 50.0)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("after_s", [0.1, 0.5, 1.5])
def test_between_frames_the_drone_is_carried_on_with_an_uncertainty_that_grows(after_s: float) -> None:
    loop, _ = fly([FIX])
    outlook = loop.localizer.outlook

    def at(seconds: float) -> Fix:
        said = carried(Newest(outlook, 5_000_000, ("gnss",)), round((6.0 + seconds) * 1e6), (10.0, 0.0))
        assert said.is_carried
        assert isinstance(said.verdict, Fix)
        return said.verdict

    fix, later = at(after_s), at(after_s + 0.5)
    expected = LocalFrame(HOME).to_latlon(10.0 + 10.0 * after_s, 0.0)
    assert distance_m(expected, LatLon(fix.lat, fix.lon)) < 1.0 + after_s
    assert later.hpl_m > fix.hpl_m
    assert (fix.source, fix.doubts) == ("dead_reckoning", ("gnss",))
    assert fix.anchor_age_s == pytest.approx(after_s, abs=1e-6)


def test_long_after_the_last_frame_there_is_nothing_to_say() -> None:
    loop, _ = fly([FIX])

    said = carried(Newest(loop.localizer.outlook, 5_000_000), 36_000_000, (float("nan"), float("nan")))
    assert isinstance(said.verdict, NoFix)


def test_a_moment_that_fails_is_told_once_and_the_next_frame_s_are_sent(caplog: pytest.LogCaptureFixture) -> None:
    loop, _ = fly([FIX])
    sent, troubles = threading.Event(), [ArithmeticError("of this moment")]

    def velocity() -> tuple[float, float]:
        if troubles:
            raise troubles.pop()
        return 10.0, 0.0

    ticker = Ticker(lambda said: sent.set(), lambda: 6_000_000, velocity)
    ticker.newest = Newest(loop.localizer.outlook, 5_000_000)
    ticker.start()
    for _ in range(200):
        if not troubles:
            break
        time.sleep(0.02)
    assert not sent.wait(0.3)
    ticker.newest = Newest(loop.localizer.outlook, 5_000_000)
    assert sent.wait(5.0)
    ticker.stop()
    assert len(caplog.records) == 1
