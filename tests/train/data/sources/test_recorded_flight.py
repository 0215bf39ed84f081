"""A frame of a flight, laid on the ground by its telemetry, shows what the map has at the true place."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import SkyfixError
from runtime.geo.camera import Attitude, axis_ground
from runtime.sensors.camera_info import write_camera
from tests.train.conftest import EXACT, draw_blots
from train.data.manifest import Choice
from train.data.sources.recorded_flight import FlightSource, open_flight
from train.data.view_spec import ViewSpec
from train.render.drone_view import render_view
from train.world.flight import MAP_GSD_M, SMALL, camera_of, jpeg, place, write_map

ATTITUDES = [Attitude(0, -90, 0), Attitude(2, -80, 75), Attitude(-3, -65, 160), Attitude(0, -60, 250)]
TRACK_M = [(100.0 + 70 * (k % 4), 110.0 + 70 * (k // 4)) for k in range(12)]  # east and south of the corner
ALT_AGL_M = 50.0
SPEC = replace(EXACT, footprint_m=(25.0, 45.0))
Line = dict[str, str]


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames over blots in a map of 400 m by 400 m; telemetry is the truth."""
    folder = tmp_path_factory.mktemp("flight")
    ground, camera = draw_blots(4, 1600), camera_of(SMALL)
    write_map(folder / "map.tif", ground)
    write_camera(camera, folder / "camera.yaml")
    (folder / "flight.json").write_text(json.dumps({"name": "blots"}))
    (folder / "frames").mkdir()
    telemetry, truth = [], []
    for k, (x, y) in enumerate(TRACK_M):
        attitude = ATTITUDES[k % 4]
        under_px = x / MAP_GSD_M - 0.5, y / MAP_GSD_M - 0.5
        rng = np.random.default_rng(k)
        frame = render_view(ground, MAP_GSD_M, under_px, camera=camera, attitude=attitude, alt_agl_m=ALT_AGL_M, rng=rng)
        (folder / f"frames/{k:02d}.jpg").write_bytes(jpeg(frame))
        roll, pitch, yaw = attitude.roll_deg, attitude.pitch_deg, attitude.yaw_deg
        cells = (k, f"frames/{k:02d}.jpg", ALT_AGL_M, roll, pitch, yaw)
        names = ("t_us", "image", "alt_agl_m", "cam_roll_deg", "cam_pitch_deg", "cam_yaw_deg")
        telemetry.append({name: str(cell) for name, cell in zip(names, cells, strict=True)})
        east, north = axis_ground(attitude, ALT_AGL_M) or (0.0, 0.0)
        drone, seen = place(x, y), place(x + east, y - north)
        names = ("t_us", "true_lat", "true_lon", "true_ground_lat", "true_ground_lon", "truth_ok")
        truth.append({name: str(cell) for name, cell in zip(names, (k, *drone, *seen, 1), strict=True)})
    write_csv(folder / "telemetry.csv", telemetry)
    write_csv(folder / "truth.csv", truth)
    return folder


def write_csv(path: Path, lines: Sequence[Line]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def changed(flight: Path, to: Path, name: str, change: Callable[[int, Line], Line]) -> Path:
    """A copy of a flight with other cells in one of its CSV files."""
    shutil.copytree(flight, to)
    with (flight / name).open(newline="") as file:
        write_csv(to / name, [change(k, line) for k, line in enumerate(csv.DictReader(file))])
    return to


def shift_m(source: FlightSource, index: int, seed: int) -> float:
    """How far the drone's view must be moved over its tile until both agree best."""
    views = source.render(index, np.random.default_rng(seed), 96)
    assert views.footprint is not None
    score = cv2.matchTemplate(views.tile, views.drone[24:-24, 24:-24], cv2.TM_CCOEFF_NORMED)
    off = np.array(np.unravel_index(score.argmax(), score.shape)) - 24
    return float(np.hypot(*off)) * views.footprint.side_m / 96


def test_a_frame_agrees_with_the_map_however_both_are_turned_and_mirrored(flight: Path) -> None:
    source = open_flight(str(flight), Choice(None), SPEC)
    assert len(source.places) == 12
    assert max(shift_m(source, k, seed) for k in range(12) for seed in range(4)) < 1.0
    for k in range(12):
        views = source.render(k, np.random.default_rng(k), 96)
        seen = cv2.erode(views.drone_seen.astype(np.uint8), np.ones((5, 5))) > 0
        assert np.abs(views.drone.astype(int) - views.tile)[seen].mean() < 8


def test_errors_that_were_asked_for_come_on_top_of_telemetrys_own(flight: Path) -> None:
    moved = open_flight(str(flight), Choice(None), replace(SPEC, offset=0.2))
    off_m = [shift_m(moved, k, seed) for k in range(12) for seed in range(4)]
    assert 3.0 < np.median(off_m) < 0.2 * math.sqrt(2) * 45
    errors = {"yaw_error_deg": 30.0, "altitude_error": 0.2, "tilt_error_deg": 5.0}
    calm, wild = (
        open_flight(str(flight), Choice(None), spec).render(0, np.random.default_rng(1), 64)
        for spec in (SPEC, replace(SPEC, **errors))
    )
    assert np.abs(calm.tile.astype(int) - wild.tile).mean() < np.abs(calm.drone.astype(int) - wild.drone).mean()


def test_an_error_of_yaw_turns_the_drones_view_and_not_its_middle(flight: Path) -> None:
    source = open_flight(str(flight), Choice(None), replace(SPEC, yaw_error_deg=20.0))
    turned = [source.render(k, np.random.default_rng(k), 96) for k in range(12)]
    at_rim, in_middle = (
        [np.abs(v.drone.astype(int) - v.tile)[part][v.drone_seen[part]].mean() for v in turned]
        for part in ((slice(14, 30), slice(14, 30)), (slice(44, 52), slice(44, 52)))
    )
    assert np.median(in_middle) < 0.6 * np.median(at_rim)


def test_a_frame_whose_place_is_known_of_the_drone_alone_is_placed_by_its_tilt(flight: Path, tmp_path: Path) -> None:
    blank = {"true_ground_lat": "", "true_ground_lon": ""}
    other = changed(flight, tmp_path / "flight", "truth.csv", lambda k, line: line | blank)
    known, reckoned = (open_flight(str(folder), Choice(None), SPEC) for folder in (flight, other))
    assert known.places == [place.replace(str(other), str(flight)) for place in reckoned.places]
    for a, b in zip(known.frames, reckoned.frames, strict=True):
        assert math.dist(a.middle_m, b.middle_m) < 0.005 * ALT_AGL_M * 2  # sphere against ellipsoid


def test_frames_that_cannot_be_used_are_counted_by_what_they_lack(
    flight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes: list[tuple[str, Callable[[int, Line], Line]]] = [
        ("telemetry.csv", lambda k, line: line | {"cam_yaw_deg": ""} if k < 2 else line),
        ("telemetry.csv", lambda k, line: line | {"cam_pitch_deg": "-5"} if k == 2 else line),
        ("truth.csv", lambda k, line: line | {"truth_ok": "0"} if k == 3 else line),
        ("truth.csv", lambda k, line: line | {"true_ground_lat": "48.5"} if k == 4 else line),
    ]
    folder = flight
    for number, (name, change) in enumerate(changes):
        folder = changed(folder, tmp_path / str(number), name, change)
    source = open_flight(f"{folder}+{flight / 'map.tif'}", Choice(None), SPEC)
    assert [Path(place).stem for place in source.places] == ["05", "06", "07", "08", "09", "10", "11"]
    assert (
        "7 of 12 frames can be used, 2 without heading, 1 near horizon, 1 without a verified place, 1 off the map"
        in capsys.readouterr().err
    )


def test_a_flight_off_its_map_is_refused_with_what_was_found(flight: Path, tmp_path: Path) -> None:
    far = changed(flight, tmp_path / "flight", "truth.csv", lambda k, line: line | {"true_ground_lat": "48.5"})
    with pytest.raises(SkyfixError, match="0 of 12 frames can be used, 12 off the map"):
        open_flight(str(far), Choice("train"), ViewSpec())


def test_a_real_flight_holds_out_one_end_of_its_site(real_flights: Path) -> None:
    train, val = (open_flight(str(real_flights / "fengyuan"), Choice(split), ViewSpec()) for split in ("train", "val"))
    assert len(train.places) >= 20
    assert len(val.places) >= 2
    apart_m = min(math.dist(a.middle_m, b.middle_m) for a in train.frames for b in val.frames)
    assert apart_m > 90 * math.sqrt(2)
    views = train.render(0, np.random.default_rng(0), 64)
    assert views.drone_seen.mean() > 0.6
    assert views.drone.std() > 10 and views.tile.std() > 10
