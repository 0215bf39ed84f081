"""Verdicts as lines that a reader can follow."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runtime.errors import SettingsError
from runtime.fix import NoFix
from runtime.link.jsonl import JsonLines, open_jsonl


def test_a_line_can_be_read_as_soon_as_it_is_sent() -> None:
    ear, mouth = os.pipe()
    with os.fdopen(mouth, "w") as out:
        link = JsonLines(out)
        for t_us in (1, 2):
            link.send(NoFix(t_us, "no_match"))
            line = os.read(ear, 1000)
            assert json.loads(line) == {"t_us": t_us, "no_fix": "no_match"}
            assert line.endswith(b"\n")
    os.close(ear)


def test_lines_go_to_a_file_or_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "fixes.jsonl", None):
        with open_jsonl(path) as link:
            link.send(NoFix(5, "blank_picture"))
    assert (
        (tmp_path / "fixes.jsonl").read_text() == capsys.readouterr().out == '{"t_us": 5, "no_fix": "blank_picture"}\n'
    )


def test_a_file_that_cannot_be_written_is_told_before_the_flight(tmp_path: Path) -> None:
    said = r"\[output\] fixes .* cannot be written: Is a directory"
    with pytest.raises(SettingsError, match=said), open_jsonl(tmp_path):
        pass
