"""Checks before the flight: each spoilt thing is found, by its own check, and nothing is raised."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.doctor.__main__ import main
from runtime.doctor.files import check_files

Spoil = Callable[[Path], object]


@pytest.fixture
def config(small_world: Path, toy_tiles: Path, toy_bundle: Path, default_bundle: Path, tmp_path: Path) -> Path:
    """A ``skyfix.toml`` that could fly, with copies of all that it names."""
    for suffix in (".tiles", ".mbtiles"):
        shutil.copy(toy_tiles.with_suffix(suffix), tmp_path / f"town{suffix}")
    shutil.copytree(small_world / "flight", tmp_path / "flight")
    shutil.copytree(toy_bundle, tmp_path / "toy.bundle")
    path = tmp_path / "skyfix.toml"
    path.write_text(
        '[map]\ntiles = "town.tiles"\n'
        f'[model]\nbundle = "toy.bundle"\nmatcher = "{default_bundle}"\nthreads = 1\n'
        '[camera]\nsource = "flight"\ncalibration = "flight/camera.yaml"\n'
    )
    return path


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_what_can_fly_is_found_good(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", check] for check in ("settings", "map", "encoder", "camera", "source", "start")
    ]
    assert "all hashes good" in lines[1]
    assert "anywhere on the map" in lines[5]


@pytest.mark.parametrize(
    ("spoil", "bad", "said"),
    [
        (lambda f: (f / "skyfix.toml").write_text("[map"), ["settings"], "is not TOML"),
        (lambda f: (f / "skyfix.toml").write_text('[mapp]\ntiles = "a"\n'), ["settings"], "lacks tiles in [map]"),
        (lambda f: flip(f / "town.tiles", -100), ["map"], "was altered: MiB 0 of embedding"),
        (lambda f: flip(f / "town.mbtiles", -100), ["map"], "is not the map that"),
        (lambda f: (f / "town.tiles").unlink(), ["map", "encoder", "start"], "is missing; build it"),
        (lambda f: flip(f / "toy.bundle/encoder.onnx", 300), ["encoder"], "was altered: SHA-256"),
        (lambda f: (f / "flight/camera.yaml").write_text("a: b"), ["encoder", "camera", "source"], "camera_info"),
        (lambda f: shutil.rmtree(f / "flight/frames"), ["source"], "is not a picture"),
        (
            lambda f: [cv2.imwrite(str(p), np.zeros((90, 90, 3), np.uint8)) for p in (f / "flight/frames").iterdir()],
            ["source"],
            "is 90 x 90 pixels, and",
        ),
        (
            lambda f: append(f / "skyfix.toml", "[start]\nlat = 1.0\nlon = 1.0\nradius_m = 10\n"),
            ["start"],
            "km off the map",
        ),
    ],
)
def test_a_spoilt_thing_is_found_by_its_own_check(spoil: Spoil, bad: list[str], said: str, config: Path) -> None:
    spoil(config.parent)
    findings = list(check_files(config))
    assert [finding.check for finding in findings if not finding.ok] == bad
    assert said in next(finding.what for finding in findings if not finding.ok)


def test_programs_get_one_list_and_a_code(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "town.mbtiles").unlink()
    assert main(["--config", str(config), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert {finding["check"]: finding["ok"] for finding in findings} == {
        "settings": True,
        "map": False,
        "encoder": False,
        "camera": True,
        "source": True,
        "start": True,
    }
    assert all(set(finding) == {"check", "ok", "what"} for finding in findings)
