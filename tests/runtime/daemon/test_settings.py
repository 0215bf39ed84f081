"""``skyfix.toml``: what it may say, and how it is told what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.daemon.settings import EXAMPLE, Settings
from runtime.errors import SettingsError

LEAST = '[map]\ntiles = "a.tiles"\n[camera]\nsource = "frames"\ncalibration = "camera.yaml"\n'


def read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "skyfix.toml").write_text(text, encoding="utf-8")
    return Settings.read(tmp_path / "skyfix.toml")


def test_the_example_is_valid_also_with_all_its_choices_taken(tmp_path: Path) -> None:
    assert read(tmp_path, EXAMPLE).tiles == tmp_path / "town.tiles"
    lines = [line.removeprefix("# ") for line in EXAMPLE.splitlines() if "realtime" not in line]
    every = read(tmp_path, "\n".join(lines))
    assert every.telemetry == tmp_path / "telemetry.csv"
    assert every.bundle == tmp_path / "my.bundle"
    assert every.matcher == tmp_path / "xfeat.bundle"
    assert every.fixes == tmp_path / "fixes.jsonl"
    assert every.start == ((47.51, 8.23), 300.0)
    assert (every.follow, every.every_s, every.threads) == (True, 0.5, 2)


def test_what_is_left_out_has_a_default_and_an_absolute_path_stays(tmp_path: Path) -> None:
    least = read(tmp_path, LEAST.replace("a.tiles", "/maps/a.tiles"))
    assert least.tiles == Path("/maps/a.tiles")
    assert least.source == tmp_path / "frames"
    assert (least.telemetry, least.bundle, least.matcher, least.start, least.fixes) == (None,) * 5
    assert (least.follow, least.realtime, least.threads) == (False, False, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks tiles in"),
        (LEAST.replace("source", "sauce"), "lacks source in"),
        (LEAST + "folow = true", "folow is unknown; known there: calibration, every_s, follow"),
        (LEAST + "[mapp]", "mapp is unknown; known tables: camera, map, model, output, start"),
        ("height = 3\n" + LEAST, "height is unknown"),
        (LEAST + "follow = true\nrealtime = true", "choose one"),
        (LEAST.replace('[map]\ntiles = "a.tiles"', "map = 3"), "map must be a table"),
        (LEAST.replace('"a.tiles"', "3"), "tiles is 3, expected"),
        (LEAST + 'follow = "yes"', "follow is 'yes', expected"),
        (LEAST + "follow = 1", "follow is 1"),
        (LEAST + "every_s = true", "every_s is True, expected a number"),
        (LEAST + "every_s = nan", "every_s is nan"),
        (LEAST + "[model]\nthreads = 1.5", "threads is 1.5, expected int"),
        (LEAST + "[model]\nthreads = true", "threads is True"),
        (LEAST + "[start]\nlat = 47.5\nlon = 8.2", "[start]"),
        (LEAST + "[start]\nlat = 97.5\nlon = 8.2\nradius_m = 100", "lat 97.5"),
        (LEAST + "[start]\nlat = 47.5\nlon = 8.2\nradius_m = 0", "radius 0"),
        (LEAST + "[start", "is not TOML"),
    ],
)
def test_a_mistake_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "skyfix.toml" in str(caught.value) or said.startswith(("[start]", "lat", "radius"))


def test_a_missing_file_says_where_an_example_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"runtime\.daemon --example"):
        Settings.read(tmp_path / "none.toml")
