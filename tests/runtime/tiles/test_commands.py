"""The commands of a finished cache: what they print for programs, and where they do not write."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache


def test_programs_get_one_object_and_people_a_picture(
    toy_tiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "cover.png"
    assert main(["info", str(toy_tiles), "--json", "--map", str(picture)]) == 0
    facts = json.loads(capsys.readouterr().out)
    cache = TileCache.open(toy_tiles)
    assert (facts["rows"], facts["sha256"]) == (len(cache.embedding), cache.sha256)
    assert [level["footprint_m"] for level in facts["levels"]] == list(cache.footprints_m)
    assert cv2.imread(str(picture)).std() > 10
    assert main(["info", str(toy_tiles), "--map", str(picture)]) == 0
    assert f"wrote {picture}" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["crop", "merge"])
def test_a_cache_is_not_written_over_what_it_is_made_of(
    command: str, cache_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    around = ["--around", "47.5,8.2,1000"] if command == "crop" else []
    before = cache_copy.read_bytes()
    for out in (cache_copy, tmp_path / "mission.mbtiles"):
        assert main([command, str(cache_copy), *around, "--out", str(out)]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "must end in .tiles and be another file than" in error
    assert cache_copy.read_bytes() == before


def test_a_signature_names_its_file_and_the_key_that_checks_it(
    cache_copy: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    assert main(["key", str(key)]) == 0
    assert f"--public-key {key}.pub" in capsys.readouterr().out
    assert main(["sign", str(cache_copy), "--key", str(key)]) == 0
    assert str(cache_copy) in capsys.readouterr().out
    assert main(["verify", str(cache_copy), "--bundle", str(toy_bundle), "--public-key", f"{key}.pub"]) == 0
    assert f"signed by the owner of {key}.pub" in capsys.readouterr().out
