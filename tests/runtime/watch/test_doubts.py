"""Doubts in words: each once, when it begins."""

from __future__ import annotations

from typing import get_args

from runtime.fix import Doubt, NoFix
from runtime.watch.doubts import WORDS, DoubtTeller


def test_a_doubt_is_told_when_it_begins_and_again_when_it_has_been_away() -> None:
    teller = DoubtTeller()
    frames: list[tuple[Doubt, ...]] = [(), ("velocity",), ("velocity", "yaw_off_180"), ("velocity",), (), ("velocity",)]
    told = [teller.look(NoFix(0, "no_match", doubts=doubts)) for doubts in frames]
    ignored = "velocity does not fit the map: ignored"
    assert told == [[], [ignored], ["yaw looks 180 deg off"], [], [], [ignored]]


def test_every_doubt_has_words_that_fit_a_line_of_the_pilot_s() -> None:
    assert set(WORDS) == set(get_args(Doubt)) - {"gnss"}
    assert max(len(text) for text in WORDS.values()) <= 50  # of a STATUSTEXT (#253)
