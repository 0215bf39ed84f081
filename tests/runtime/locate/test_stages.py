"""Milliseconds by stage: a stage that runs twice is added up, also one that fails."""

from __future__ import annotations

import time

import pytest

from runtime.locate.stages import Stages


def test_a_stage_that_runs_twice_is_added_up_and_others_stay_apart() -> None:
    stages = Stages()
    for _ in range(2):
        with stages.timed("embed"):
            time.sleep(0.01)
    with stages.timed("search"):
        pass
    assert stages.ms["embed"] >= 20.0, "a sleep never ends early"
    assert 0.0 <= stages.ms["search"] < stages.ms["embed"]


def test_a_stage_that_fails_has_its_time_all_the_same() -> None:
    stages = Stages()
    with pytest.raises(ZeroDivisionError), stages.timed("pose"):
        raise ZeroDivisionError
    assert set(stages.ms) == {"pose"}
