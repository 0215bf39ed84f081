"""One bad frame is no failure; bad frames that last are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.fix import Fix, FixSource, NoFix, Verdict
from runtime.watch.health import Health


def fix(source: FixSource) -> Fix:
    return Fix(0, 47.0, 8.0, None, None, None, None, (1.0, 0.0, 1.0), source, 0.0, 50, 1.0)


GOOD, BAD = fix("registration"), NoFix(0, "no_match")


def after(*verdicts: Verdict) -> Health:
    health = Health()
    for verdict in verdicts:
        health.count(verdict)
    return health


def test_a_few_bad_frames_are_no_failure_and_many_are() -> None:
    assert after(*[BAD] * 10).well
    assert not after(*[BAD] * 20).well


def test_good_frames_make_it_well_again() -> None:
    health = after(*[BAD] * 50)
    assert not health.well
    for _ in range(3):
        health.count(GOOD)
    assert health.well


def test_dead_reckoning_is_no_good_sign_and_retrieval_is() -> None:
    assert not after(*[fix("dead_reckoning")] * 50).well
    assert after(*[fix("retrieval")] * 50).well


@given(st.lists(st.sampled_from([GOOD, BAD, fix("retrieval")]), max_size=60))
def test_every_verdict_is_counted_once_by_its_name(verdicts: list[Verdict]) -> None:
    health = after(*verdicts)
    assert sum(health.counts.values()) == len(verdicts)
    assert health.counts["no_match"] == sum(verdict is BAD for verdict in verdicts)
    assert health.counts["registration"] == sum(verdict is GOOD for verdict in verdicts)


def test_it_is_told_most_frequent_first() -> None:
    assert str(after(BAD, GOOD, BAD)) == "no_match 2, registration 1"
    assert str(Health()) == "no frames"
