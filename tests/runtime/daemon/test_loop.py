"""A step of the daemon: each verdict is sent at once, and a turn for the worse or the better is said once."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import numpy as np
import pytest

from runtime.daemon.loop import step
from runtime.fix import Fix, NoFix, Verdict
from runtime.frame import Frame, Telemetry
from runtime.link.jsonl import JsonLines
from runtime.watch.health import Health

FIX = Fix(0, 47.0, 8.0, None, None, None, None, (1.0, 0.0, 1.0), "registration", 0.0, 50, 1.0)
FRAME = Frame(Telemetry(0, 100.0, 0.0, -90.0, 0.0), np.zeros((4, 4, 3), np.uint8))


class Scripted:
    """Says what it was given, one verdict a frame."""

    def __init__(self, verdicts: Iterator[Verdict]) -> None:
        self._verdicts = verdicts

    def step(self, frame: Frame) -> Verdict:
        assert frame is FRAME
        return next(self._verdicts)


def fly(*verdicts: Verdict) -> tuple[Health, list[str]]:
    """Health, and the lines that were sent."""
    health, out = Health(), io.StringIO()
    localizer = Scripted(iter(verdicts))
    for verdict in verdicts:
        assert step(FRAME, localizer, health, JsonLines(out)) is verdict  # type: ignore[arg-type]
    return health, out.getvalue().splitlines()


def test_every_verdict_is_a_line_and_is_counted() -> None:
    health, lines = fly(FIX, NoFix(1, "no_match"), NoFix(2, "ambiguous"), FIX)
    assert [json.loads(line).get("no_fix") for line in lines] == [None, "no_match", "ambiguous", None]
    assert health.counts == {"registration": 2, "no_match": 1, "ambiguous": 1}


def test_a_turn_is_said_once_and_a_bad_frame_is_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "runtime"):
        fly(*[FIX] * 5, NoFix(0, "no_match"), *[FIX] * 5)
        assert not caplog.records
        fly(*[NoFix(0, "no_match")] * 60, *[FIX] * 30)
    assert [(r.levelname, r.getMessage().partition(" (")[0]) for r in caplog.records] == [
        ("WARNING", "most frames give no fix"),
        ("INFO", "fixes are back"),
    ]
