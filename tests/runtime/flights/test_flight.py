"""Recorded flights that break the contract: one line, exit 1, and no output."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.replay.__main__ import main
from runtime.sensors.telemetry import read_telemetry

Spoil = Callable[[Path], object]


@pytest.fixture
def flight(small_world: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(small_world / "flight", tmp_path / "flight"))


def edit(name: str, old: str, new: str) -> Spoil:
    def spoil(flight: Path) -> None:
        text = (flight / name).read_text()
        assert old in text
        (flight / name).write_text(text.replace(old, new, 1))

    return spoil


def cell(row: int, column: str, value: str) -> Spoil:
    """Another value in a cell of ``telemetry.csv``; rows count from 0."""

    def spoil(flight: Path) -> None:
        lines = (flight / "telemetry.csv").read_text().splitlines()
        cells = lines[row + 1].split(",")
        cells[lines[0].split(",").index(column)] = value
        lines[row + 1] = ",".join(cells)
        (flight / "telemetry.csv").write_text("\n".join(lines) + "\n")

    return spoil


def write(name: str, data: bytes) -> Spoil:
    return lambda flight: (flight / name).write_bytes(data)


def remove(name: str) -> Spoil:
    return lambda flight: (flight / name).unlink()


def reshape(picture: Path, width_px: int, height_px: int) -> None:
    found = cv2.imread(str(picture))
    assert found is not None
    cv2.imwrite(str(picture), cv2.resize(found, (width_px, height_px)))


BROKEN: dict[str, tuple[Spoil, str]] = {
    "picture missing": (remove("frames/0002.jpg"), "0002.jpg"),
    "picture empty": (write("frames/0002.jpg", b""), "0002.jpg"),
    "picture spoilt": (write("frames/0002.jpg", b"\xff\xd8\xff no jpeg"), "0002.jpg"),
    "picture not named": (cell(1, "image", ""), "missing"),
    "NaN": (cell(2, "alt_agl_m", "nan"), "line 4: alt_agl_m is 'nan'"),
    "millimetres": (cell(2, "alt_agl_m", "60710"), "line 4: alt_agl_m is 60710, expected at most 20000"),
    "picture of another camera": (lambda flight: reshape(flight / "frames/0000.jpg", 640, 480), "is 640 x 480 pixels"),
    "infinity": (cell(2, "cam_yaw_deg", "-inf"), "line 4: cam_yaw_deg"),
    "words": (cell(0, "cam_pitch_deg", "down"), "line 2: cam_pitch_deg is 'down'"),
    "time in seconds": (cell(1, "t_us", "0.5"), "t_us is '0.5', expected whole microseconds"),
    "time blank": (cell(1, "t_us", ""), "t_us"),
    "time stands": (cell(1, "t_us", "0"), "does not come after"),
    "time falls": (cell(3, "t_us", "1000"), "line 5"),
    "column missing": (edit("telemetry.csv", "cam_pitch_deg", "pitch"), "lacks the column cam_pitch_deg"),
    "row too short": (edit("telemetry.csv", ",471.29", ""), "line 3"),
    "row too long": (edit("telemetry.csv", ",471.29", ",471.29,5"), "line 3"),
    "header alone": (write("telemetry.csv", b"t_us,image,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg\n"), "rows"),
    "telemetry empty": (write("telemetry.csv", b""), "lacks"),
    "telemetry binary": (write("telemetry.csv", b"\xff\xfe\x00\x81" * 50), "telemetry.csv"),
    "telemetry missing": (remove("telemetry.csv"), "telemetry.csv is missing"),
    "camera missing": (remove("camera.yaml"), "camera.yaml is missing"),
    "camera empty": (write("camera.yaml", b""), "camera.yaml"),
    "camera no YAML": (write("camera.yaml", b"{a: [1"), "camera.yaml"),
    "camera binary": (write("camera.yaml", b"\xff\xfe\x81"), "camera.yaml"),
    "camera without matrix": (edit("camera.yaml", "camera_matrix", "matrix"), "camera_matrix"),
    "camera without width": (edit("camera.yaml", "image_width: 640", "image_width: wide"), "camera.yaml"),
    "focal length NaN": (edit("camera.yaml", "- 457.0", "- .nan # "), "positive numbers"),
    "focal length negative": (edit("camera.yaml", "- 457.0", "- -457.0"), "positive numbers"),
    "matrix not a camera's": (edit("camera.yaml", "- 1.0", "- 0.0"), "camera.yaml"),
    "distortion NaN": (edit("camera.yaml", "cols: 5\n  data:\n  - 0.0", "cols: 5\n  data:\n  - .nan"), "camera.yaml"),
    "fisheye": (edit("camera.yaml", "plumb_bob", "equidistant"), "equidistant"),
    "flight.json missing": (remove("flight.json"), "flight.json is missing"),
    "flight.json no JSON": (write("flight.json", b"{name"), "flight.json is not JSON"),
    "flight.json a list": (write("flight.json", b"[]"), "one JSON object"),
    "truth of text": (edit("truth.csv", "47.", "north of 47."), "true_lat"),
    "truth out of this world": (edit("truth.csv", "47.", "947."), "true_lat"),
    "truth without columns": (edit("truth.csv", "true_lon", "lon"), "lacks the column true_lon"),
}


def replay(flight: Path, tiles: Path, bundle: Path, out: Path, *more: str) -> int:
    outputs = ["--out", str(out / "fixes.jsonl"), "--report", str(out / "report.json"), "--map", str(out / "map.png")]
    return main([str(flight), "--tiles", str(tiles), "--bundle", str(bundle), "--no-matcher", *outputs, *more])


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_flight_is_refused_in_one_line_and_leaves_no_output(
    *, what: str, flight: Path, toy_tiles: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, said = BROKEN[what]
    spoil(flight)
    assert replay(flight, toy_tiles, toy_bundle, tmp_path / "out") == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("runtime.replay: ")
    assert said in captured.err
    assert captured.out == ""
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and flight not in p.parents]


def test_what_is_left_blank_is_unknown_and_more_columns_do_no_harm(flight: Path) -> None:
    cell(0, "cam_roll_deg", "")(flight)
    cell(0, "vel_north_mps", " ")(flight)
    lines = (flight / "telemetry.csv").read_text().splitlines()
    text = "\ufeff" + "\r\n".join(line + (",note" if i == 0 else ",calm") for i, line in enumerate(lines)) + "\r\n"
    (flight / "telemetry.csv").write_text(text, encoding="utf-8")  # as a spreadsheet saves it
    telemetry, images = read_telemetry(flight / "telemetry.csv")
    assert len(telemetry) == len(images) == 6
    assert np.isnan(telemetry[0].cam_roll_deg)
    assert np.isnan(telemetry[0].vel_north_mps)
    assert telemetry[1].cam_roll_deg == -0.21
