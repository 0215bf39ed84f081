"""The command tells what there is, draws pairs, and finds what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runtime.errors import DataError
from tests.train.conftest import draw_place
from tests.train.data.benchmarks import trees
from train.data.__main__ import main
from train.data.check import CheckSpec, check_data


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


def test_lines_come_one_by_one_and_faults_at_the_end(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    (root / "train/satellite/0003/image-00.jpg").write_bytes(b"no picture")
    shutil.rmtree(root / "train/satellite/0002")
    lines = check_data(CheckSpec((f"university1652:{root}",), thorough=True))
    assert next(lines) == f"university1652:{root}"
    rest = []
    with pytest.raises(DataError, match="2 things are wrong, as told above"):
        rest.extend(lines)  # what came before the error is kept
    assert [line for line in rest if line.startswith("  wrong: ")] == rest[-2:]
    assert "are not in" in rest[-2] or "are not in" in rest[-1]


def test_some_pictures_spread_evenly_are_read_unless_all_are_asked_for(tmp_path: Path) -> None:
    for k in range(450):
        trees.put(tmp_path / f"{k:03d}.png", k)
    (tmp_path / "001.png").write_bytes(b"no picture")
    some = list(check_data(CheckSpec((f"overhead:{tmp_path}@0.5",))))
    assert some[-1] == "  225 of 450 pictures read (--thorough reads all)"
    with pytest.raises(DataError, match="1 things are wrong"):
        list(check_data(CheckSpec((f"overhead:{tmp_path}@0.5",), thorough=True)))


def test_a_benchmark_with_a_test_alone_is_no_fault(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    shutil.rmtree(root / "train")
    lines = list(check_data(CheckSpec((f"university1652:{root}",))))
    assert any(line.startswith("  train  none: ") for line in lines)
    assert any("6 queries, gallery 5" in line for line in lines)


def test_a_full_count_is_shown_beside_what_is_there_and_an_unknown_one_is_blank(visloc_like: Path) -> None:
    lines = list(check_data(CheckSpec((f"visloc:{visloc_like}",))))
    assert lines[2].split() == ["UAV-VisLoc", "flights", "2", "2", "11", "6742"]
    assert lines[3].split() == ["flight", "01", "1", "1", "train"]
    assert "  the full benchmark: no; scores may not bear its name alone" in lines


@pytest.fixture
def visloc_like(tmp_path: Path) -> Path:
    flights = [trees.DrawnFlight(name, [(160, 120, 0.0)]) for name in ("01", "03")]
    return trees.visloc(tmp_path, flights, lambda k: draw_place(k, 320)[:240])


def test_a_split_without_places_cannot_be_drawn(pictures: Path, tmp_path: Path) -> None:
    spec = CheckSpec((f"site:{pictures}@0.5",), picture=tmp_path / "sheet.png", split="val")
    with pytest.raises(DataError, match="no places in split val to draw"):
        list(check_data(spec))


@pytest.mark.parametrize("arguments", [["--pairs", "0"], ["--side", "16"], ["--split", "test"], ["--augment", "much"]])
def test_wrong_arguments_are_told_as_usage(
    arguments: list[str], pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([f"overhead:{pictures}@0.6", *arguments])
    assert stopped.value.code == 2
    assert "usage: python -m train.data" in capsys.readouterr().err
