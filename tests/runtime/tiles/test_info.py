"""What a cache holds, told to people and programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache


def test_info_and_verify_speak_of_a_sound_cache(
    toy_tiles: Path, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(toy_tiles)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"level +32 m tiles every 8 m: \d+; left out: \d+ missing\n", said)
    assert re.search(r"bounds +lat 47\.4\d+ to 47\.50", said)
    assert main(["verify", str(toy_tiles), "--bundle", str(toy_bundle)]) == 0
    assert "worst cosine 0.99" in capsys.readouterr().out


def test_on_a_terminal_the_levels_are_a_table(
    toy_tiles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["info", str(toy_tiles)]) == 0
    said = capsys.readouterr().out
    levels = TileCache.open(toy_tiles).metadata.levels
    for level in levels:
        row = next(line for line in said.splitlines() if f"{level.footprint_m:g} m" in line)
        assert {f"{level.rows:,}", f"{level.left_out['missing']:,}"} <= set(row.split())
