"""The command tells what there is, draws pairs, and finds what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.data.benchmarks import trees
from train.data.__main__ import main


def test_the_command_tells_what_there_is_and_draws_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = trees.university1652(tmp_path / "u")
    sheet = tmp_path / "pairs.png"
    assert main([f"university1652:{root}", "--picture", str(sheet), "--pairs", "5", "--side", "32"]) == 0
    out = capsys.readouterr().out
    assert "train/drone" in out and "37854" in out
    assert "University-1652 satellite -> drone: 3 queries, gallery 10" in out
    assert "the full benchmark: no" in out
    assert "train  14 places, 14 scenes" in out
    assert "val    2 places, 4 scenes" in out
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_the_command_finds_a_broken_picture_of_the_test_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = trees.university1652(tmp_path)
    (root / "test/query_drone/0016/image-00.jpeg").write_bytes(b"no picture")
    assert main([f"university1652:{root}", "--thorough"]) == 1
    told = capsys.readouterr()
    assert "wrong: " in told.out and "test/query_drone/0016/image-00.jpeg cannot be read" in told.out
    assert "1 things are wrong" in told.err


def test_the_command_shows_any_kind_of_data(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["--picture", str(sheet), "--side", "32", "--pairs", "3", "--split", "val"]
    assert main([f"overhead:{pictures}@0.6", *arguments]) == 0
    out = capsys.readouterr().out
    assert "train  21 places, 21 scenes" in out
    assert "val    3 places, 3 scenes" in out
    assert sheet.is_file()
    assert main(["overhead:/nowhere"]) == 1
