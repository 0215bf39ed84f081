"""What a fit is asked for, and what is told of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.score.judge import JudgedSummary
from calib.score.pipeline import ScoreRequest, describe
from calib.score.store import HeldOutScores, ListedFlight, ScoreEntry
from runtime.errors import SettingsError


def test_a_flight_that_is_given_twice_under_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    with pytest.raises(SettingsError, match=r"link is given twice: a flight cannot be held out from itself"):
        ScoreRequest((tmp_path / "one", tmp_path / "link"), (tmp_path / "t.tiles",), tmp_path / "s.json")


def test_only_json_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"score\.yaml must end in \.json"):
        ScoreRequest((tmp_path,), (tmp_path / "t.tiles",), tmp_path / "score.yaml")


def test_what_is_told_has_the_frames_used_those_left_out_and_both_judgements() -> None:
    before = JudgedSummary(nll=3.25, ece=0.21, mean_probability=0.4, right=0.62)
    after = JudgedSummary(nll=2.5, ece=0.04, mean_probability=0.61, right=0.62)
    flights = (
        ListedFlight("one", "1" * 64, "3" * 64, 50, 41, {"not on the map": 7, "truth not verified": 2}),
        ListedFlight("two", "2" * 64, "3" * 64, 20, 20, {}),
    )
    entry = ScoreEntry(0.0214, 0.118, "4" * 64, flights, HeldOutScores("each flight", 61, before, after))
    assert list(describe(Path("score.json"), entry)) == [
        "score.json: 61 of 70 frames; beside it what to look at, .reliability.png and .similarity.png",
        "  left out         7 of one: not on the map",
        "  left out         2 of one: truth not verified",
        "  temperature      0.0214",
        "  outlier share    0.118",
        "  judged           each flight",
        "  default          NLL 3.250 nats, ECE 0.210: places said 40%, were right 62%",
        "  fitted           NLL 2.500 nats, ECE 0.040: places said 61%, were right 62%",
    ]
