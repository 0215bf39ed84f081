"""Replays of flights, by the command that a user types."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from runtime.locate.limits import MOUNT
from runtime.replay.__main__ import main
from runtime.sensors.camera_info import read_camera, write_camera


@pytest.fixture
def flight(small_world: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(small_world / "flight", tmp_path / "flight"))


def reshape(picture: Path, width_px: int, height_px: int) -> None:
    found = cv2.imread(str(picture))
    assert found is not None
    cv2.imwrite(str(picture), cv2.resize(found, (width_px, height_px)))


def replay(flight: Path, tiles: Path, bundle: Path, out: Path, *more: str) -> int:
    outputs = ["--out", str(out / "fixes.jsonl"), "--report", str(out / "report.json"), "--map", str(out / "map.png")]
    return main([str(flight), "--tiles", str(tiles), "--bundle", str(bundle), "--no-matcher", *outputs, *more])


def test_a_flight_without_truth_is_flown(flight: Path, toy_tiles: Path, toy_bundle: Path, tmp_path: Path) -> None:
    (flight / "truth.csv").unlink()
    assert replay(flight, toy_tiles, toy_bundle, tmp_path / "new/folder") == 0
    report = json.loads((tmp_path / "new/folder/report.json").read_text())
    assert report["frames"] == 6
    assert report["position_error_m"]["of_all_frames"] == {"count": 0}
    lines = (tmp_path / "new/folder/fixes.jsonl").read_text().splitlines()
    assert [json.loads(line)["t_us"] for line in lines] == [t * 2_000_000 for t in range(6)]
    assert cv2.imread(str(tmp_path / "new/folder/map.png")) is not None


def test_a_flight_over_another_map_is_told_how_far_off_it_was(
    *, flight: Path, toy_tiles: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = flight / "truth.csv"
    truth.write_text(truth.read_text().replace("47.", "48."))
    assert replay(flight, toy_tiles, toy_bundle, tmp_path) == 0
    assert f"the true track is 111.2 km off the map of {toy_tiles}" in capsys.readouterr().out


def test_a_picture_of_another_shape_on_the_way_is_a_verdict(
    flight: Path, toy_tiles: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    reshape(flight / "frames/0002.jpg", 640, 480)
    assert replay(flight, toy_tiles, toy_bundle, tmp_path) == 0
    lines = [json.loads(line) for line in (tmp_path / "fixes.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    assert lines[2] == {"t_us": 4_000_000, "no_fix": "other_camera"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--report", "/proc/none/report.json"),
        ("--out", "."),
        ("--map", "track.gif"),
        ("--map", "/proc/none/track.png"),
        ("--start", "47.5,8.2"),
        ("--start", "nan,8.2,100"),
        ("--start", "47.5,8.2,-5"),
        ("--start", "47.6,8.2,500"),
        ("--tiles", "no.tiles"),
        ("--bundle", "no.bundle"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line_before_the_flight(
    *,
    arguments: tuple[str, str],
    small_world: Path,
    toy_tiles: Path,
    toy_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert replay(small_world / "flight", toy_tiles, toy_bundle, tmp_path, *arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("runtime.replay: ")
    assert not list(tmp_path.iterdir())


def test_a_flight_that_tells_no_focal_length_writes_no_camera(
    *, flight: Path, toy_tiles: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert replay(flight, toy_tiles, toy_bundle, out, "--corrected-camera", str(out / "camera.yaml")) == 1
    assert "this flight tells the focal length not at all" in capsys.readouterr().err
    assert (out / "report.json").is_file()
    assert not (out / "camera.yaml").exists()


def test_a_lens_that_is_longer_than_told_is_found_and_written_down(
    *,
    flight: Path,
    toy_tiles: Path,
    toy_bundle: Path,
    default_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six frames tell the focal length to some per cent, so any is taken here; half of the 8% are found at least."""
    monkeypatch.setattr("runtime.locate.found.MOUNT", replace(MOUNT, telling_focal_percent=50.0))
    true = read_camera(flight / "camera.yaml")
    write_camera(true.zoomed(1 / 1.08), flight / "camera.yaml")
    arguments = [
        "--bundle",
        str(toy_bundle),
        "--matcher",
        str(default_bundle),
        "--report",
        str(tmp_path / "report.json"),
    ]
    corrected = ["--corrected-camera", str(tmp_path / "camera.yaml")]
    assert main([str(flight), "--tiles", str(toy_tiles), *arguments, *corrected]) == 0
    written = read_camera(tmp_path / "camera.yaml")
    assert 0.96 < written.matrix[0, 0] / true.matrix[0, 0] < 1.04
    assert written.matrix[:, 2] == pytest.approx(true.matrix[:, 2])
    found = json.loads((tmp_path / "report.json").read_text())["camera_found"]["focal_length_percent"]
    assert found["value"] == pytest.approx(100 * (written.matrix[0, 0] / true.matrix[0, 0] * 1.08 - 1), abs=0.01)
