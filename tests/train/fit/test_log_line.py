"""Lines of a log come back as they were written, whatever curves they hold."""

from __future__ import annotations

import json
import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from train.fit.log_line import LogLine, read_log

NAMES = st.text(st.characters(categories=["Ll"]), min_size=1).filter(lambda name: name not in ("step", "elapsed_s"))


@given(st.integers(0, 10**9), st.dictionaries(NAMES, st.floats(allow_nan=False)), st.floats(0, 1e6))
def test_a_line_survives_the_file(step: int, values: dict[str, float], elapsed_s: float) -> None:
    line = LogLine(step, values, elapsed_s)
    text = json.dumps(line.to_json())
    assert LogLine.from_json(json.loads(text)) == line
    assert json.dumps(LogLine.from_json(json.loads(text)).to_json()) == text


def test_a_line_in_the_file_begins_with_its_step_and_ends_with_the_time() -> None:
    assert json.dumps(LogLine(3, {"loss": 0.5, "triplet": math.nan}, 1.2).to_json()) == (
        '{"step": 3, "loss": 0.5, "triplet": NaN, "elapsed_s": 1.2}'
    )


def test_a_log_is_read_line_by_line_and_one_that_is_missing_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl") == []
    (tmp_path / "log.jsonl").write_text(
        '{"step": 0, "r1": 0.5, "ap": 0.6, "elapsed_s": 0.1}\n{"step": 1, "loss": 2.0, "elapsed_s": 0.4}\n'
    )
    first, second = read_log(tmp_path / "log.jsonl")
    assert (first.is_validation, second.is_validation) == (True, False)
    assert (first.step, first.values, second.elapsed_s) == (0, {"r1": 0.5, "ap": 0.6}, 0.4)


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    whole = '{"step": 0, "loss": 2.0, "elapsed_s": 0.1}\n'
    for cut in range(len(whole) - 1):
        (tmp_path / "log.jsonl").write_text(whole + whole[:cut])
        assert [line.step for line in read_log(tmp_path / "log.jsonl")] == [0]
