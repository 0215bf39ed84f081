"""A report: the table for people, the JSON for programs, and the notes without which figures mean little."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from train.scoring.distances import DistanceScores
from train.scoring.open_encoder import EncoderCard
from train.scoring.ranking import Scores
from train.scoring.report import EvaluationReport, SetScores, print_report, table_lines, write_report
from train.scoring.robustness import SweepCurve

NEAR = SetScores(Scores(0.5, 0.75, 0.875, 0.6, 0.55, 8, 951), DistanceScores({1: 0.5}, {1: 0.6}, 1.25, 20.0, {25: 0.5}))
FAR = SetScores(Scores(0.0, 0.1, 0.2, 0.0, 0.05, 300, 12))


def _report(**changes: object) -> EvaluationReport:
    values = {
        "encoder": EncoderCard(Path("my.bundle"), "ab12", "lite fp32", 192, 64),
        "data": ("sues200:folder",),
        "protocol": "official",
        "flips_summed": False,
        "remarks": ["sues200:folder is not the full benchmark"],
        "sets": {"A drone -> tile": NEAR, "B": FAR},
        "robustness": {"A drone -> tile": {"turn_deg": SweepCurve((0, 90), (0.5, 0.25))}},
        "robustness_queries": 500,
        "seconds": 1.5,
    }
    return EvaluationReport(**{**values, **changes})  # type: ignore[arg-type]


def test_a_line_of_the_table_is_as_it_always_was() -> None:
    assert table_lines({"A drone": NEAR, "B": FAR}) == [
        "A drone: R@1 50.00%  step 12%  R@5 75.00%  R@10 87.50%  R@1% 60.00%  AP 55.00%  (8 queries, gallery 951)",
        "         SDM@1 0.5000  first answer off by 1.2 m (median), 20.0 m (mean)  within 25m 50.0%",
        "      B: R@1 0.00%  step 0.33%  R@5 10.00%  R@10 20.00%  R@1% 0.00%  AP 5.00%  (300 queries, gallery 12)",
    ]


def test_the_json_holds_the_format_the_encoder_and_every_set(tmp_path: Path) -> None:
    paths = write_report(tmp_path, _report())
    assert paths == [tmp_path / "scores.json", tmp_path / "table.txt"]
    document = json.loads(paths[0].read_text())
    assert list(document) == [
        "format", "encoder", "data", "protocol", "flips_summed", "remarks", "sets", "robustness",
        "robustness_queries", "seconds",
    ]  # fmt: skip
    assert document["format"] == 1
    assert document["encoder"] == {
        "path": "my.bundle", "sha256": "ab12", "name": "lite fp32", "side_px": 192, "dim": 64
    }  # fmt: skip
    assert document["sets"]["B"] == {
        "r1": 0.0, "r5": 0.1, "r10": 0.2, "r1_percent": 0.0, "ap": 0.05, "queries": 300, "gallery": 12, "step": 1 / 300
    }  # fmt: skip
    assert document["sets"]["A drone -> tile"]["distances"]["error_m"]["within_25m"] == 0.5
    assert document["robustness"] == {"A drone -> tile": {"turn_deg": {"values": [0, 90], "r1": [0.5, 0.25]}}}


def test_what_is_printed_is_what_is_kept_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = _report(protocol="sample4geo", flips_summed=True)
    print_report(report)
    write_report(tmp_path, report)
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "table.txt").read_text()
    assert printed.splitlines()[-2:] == [
        "protocol sample4geo, test-time flips summed, D = 64",
        "sues200:folder is not the full benchmark",
    ]


def test_on_a_terminal_the_same_figures_stand_in_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_report(_report())
    printed = capsys.readouterr().out
    for text in ("A drone -> tile", "50.00%", "0.33%", "951", "first answer off by 1.2 m", "no test-time flips"):
        assert text in printed
    assert "queries, gallery" not in printed  # as the plain lines have it
