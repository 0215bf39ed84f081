"""The command refuses what is no flight; what it writes is in test_flight.py and in the scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.world.__main__ import main


@pytest.mark.parametrize("arguments", [["--frames", "0"], ["--seed", "-1"]])
def test_a_flight_without_frames_or_with_a_negative_seed_is_refused_in_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "out"), *arguments]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "a flight has at least one frame, and a seed is not negative" in err
    assert not list(tmp_path.iterdir())
