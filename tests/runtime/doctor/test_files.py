"""Checks before the flight: each spoilt thing is found, by its own check, and nothing is raised."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.doctor.__main__ import main
from runtime.doctor.files import check_files
from runtime.doctor.finding import Finding
from runtime.sensors.camera_info import read_camera

Spoil = Callable[[Path], object]
CHECKS = ("settings", "map", "hashes", "encoder", "start", "features", "camera", "source", "links")


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


def swap_last_rows(path: Path) -> None:
    *rows, a, b = path.read_text().splitlines()
    path.write_text("\n".join([*rows, b, a]) + "\n")


def swap_bundle(config: Path) -> None:
    """Name the default encoder, with which the map was not built."""
    config.write_text(config.read_text().replace('bundle = "toy.bundle"\n', ""))


def set_matcher(config: Path, value: str) -> None:
    config.write_text(re.sub('matcher = ".*"', f'matcher = "{value}"', config.read_text()))


def source_of(config: Path) -> Finding:
    return next(finding for finding in check_files(config) if finding.check == "source")


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_what_can_fly_is_found_good(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", check] for check in CHECKS]
    assert "is as it was built" in lines[2]
    assert "anywhere on the map" in lines[4]
    assert "jsonl -" in lines[8]


@pytest.mark.parametrize(
    ("spoil", "bad", "said"),
    [
        (lambda f: (f / "skyfix.toml").write_text("[map"), ["settings"], "is not TOML"),
        (lambda f: (f / "skyfix.toml").write_text('[mapp]\ntiles = "a"\n'), ["settings"], "lacks tiles in [map]"),
        (lambda f: flip(f / "town.tiles", -100), ["hashes"], "was altered: MiB 0 of embedding"),
        (lambda f: flip(f / "town.mbtiles", -100), ["hashes"], "is not the map that"),
        (lambda f: (f / "town.tiles").unlink(), ["map"], "is missing; build it"),
        (lambda f: flip(f / "toy.bundle/encoder.onnx", 300), ["encoder"], "was altered: SHA-256"),
        (lambda f: (f / "flight/camera.yaml").write_text("a: b"), ["camera"], "camera_info"),
        (lambda f: shutil.rmtree(f / "flight/frames"), ["source"], "is not a picture"),
        (lambda f: (f / "flight/telemetry.csv").write_text("t_us,image\n"), ["source"], "alt_agl_m"),
        (lambda f: swap_last_rows(f / "flight/telemetry.csv"), ["source"], "sort the rows by time"),
        (lambda f: shutil.rmtree(f / "flight"), ["settings"], "is missing"),
        (lambda f: (f / "toy.bundle/manifest.json").unlink(), ["encoder"], "manifest.json"),
        (lambda f: swap_bundle(f / "skyfix.toml"), ["encoder"], "was built with"),
        (lambda f: set_matcher(f / "skyfix.toml", "nowhere.bundle"), ["features"], "nowhere.bundle"),
        (
            lambda f: append(f / "skyfix.toml", '[[link]]\nkind = "jsonl"\npath = "none/fixes.jsonl"\n'),
            ["links"],
            "cannot be written",
        ),
        (
            lambda f: append(f / "skyfix.toml", '[[link]]\nkind = "jsonl"\npath = "flight"\n'),
            ["links"],
            "cannot be written",
        ),
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
    assert [finding.check for finding in findings if finding.ok is False] == bad
    assert said in next(finding.what for finding in findings if finding.ok is False)


def test_a_video_is_opened_and_held_against_the_camera(config: Path) -> None:
    flight = config.parent / "flight"
    video = config.parent / "flight.avi"
    config.write_text(config.read_text().replace('"flight"', '"flight.avi"\ntelemetry = "flight/telemetry.csv"'))
    camera = read_camera(flight / "camera.yaml")
    for size, good in (((camera.width_px, camera.height_px), True), ((96, 96), False)):
        writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 5.0, size)
        writer.write(np.zeros((size[1], size[0], 3), np.uint8))
        writer.release()
        finding = source_of(config)
        assert finding.ok is good, finding
    assert "is 96 x 96 pixels" in finding.what
    video.write_bytes(b"no video")
    assert "is not a video" in source_of(config).what


def test_programs_get_one_list_and_a_code(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "town.mbtiles").unlink()
    assert main(["--config", str(config), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    skipped = {"hashes", "encoder", "start"}
    assert [finding["check"] for finding in findings if finding["ok"] is None] == sorted(skipped, key=CHECKS.index)
    assert [finding["check"] for finding in findings if finding["ok"] is False] == ["map"]
    assert sorted(finding["check"] for finding in findings) == sorted(CHECKS)
    assert all(set(finding) == {"check", "ok", "what"} for finding in findings)
