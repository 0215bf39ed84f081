"""The generated world: one place, two dates, and a flight that keeps the contract of real ones."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.camera import Attitude, axis_ground
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import ground_scale, to_metres
from runtime.geo.rectify import View, rectify
from runtime.geo.terrain import Terrain
from train.world.covers import AUTUMN
from train.world.flight import PICTURE_GSD_M, SMALL, DronePose, FlightSpec, fly, place, shrunk, write_world
from train.world.picture import paint
from train.world.zoning import draw_plan

TELEMETRY = "t_us,image,session,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg,vel_north_mps,vel_east_mps,alt_msl_m"
TRUTH = "t_us,true_lat,true_lon,true_ground_lat,true_ground_lon,true_yaw_deg,truth_ok"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    write_world(out, SMALL)
    return out


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_one_seed_writes_the_same_bytes_and_another_seed_another_place(world: Path, tmp_path: Path) -> None:
    write_world(tmp_path / "again", SMALL)
    assert digest(tmp_path / "again") == digest(world)
    write_world(tmp_path / "other", replace(SMALL, seed=8, frames=1))
    other = digest(tmp_path / "other")
    assert all(other[name] != digest(world)[name] for name in ("map.tif", "flight/frames/0000.jpg", "flight/truth.csv"))


def test_the_flight_keeps_the_contract(world: Path) -> None:
    folder = world / "flight"
    assert (folder / "telemetry.csv").read_text().splitlines()[0] == TELEMETRY
    assert (folder / "truth.csv").read_text().splitlines()[0] == TRUTH
    flight, truths = Flight.open(folder), read_truth(folder / "truth.csv")
    info = json.loads((folder / "flight.json").read_text(encoding="utf-8"))
    assert set(info) == {"name", "place", "date", "camera", "map", "platform", "notes", "licence"}
    assert "never stands for accuracy" in flight.info.notes
    assert (folder / flight.info.map).is_file()
    assert len(flight.images) == SMALL.frames
    assert list(truths) == [line.t_us for line in flight.telemetry]
    for frame in flight.frames():
        assert frame.picture.shape == (flight.camera.height_px, flight.camera.width_px, 3)
    assert not list(world.rglob("*.partial"))


def test_true_ground_points_lie_where_the_true_attitude_looks(world: Path) -> None:
    truths = read_truth(world / "flight/truth.csv").values()
    for truth, pose in zip(truths, fly(SMALL), strict=True):
        assert truth.drone is not None
        assert truth.ground is not None
        ahead = axis_ground(pose.attitude, pose.alt_agl_m)
        found = LocalFrame(truth.drone).to_en(truth.ground)
        # The map is a sphere's, the local frame an ellipsoid's: they differ by 0.2% here.
        assert np.hypot(*np.subtract(found, ahead)) < 0.005 * np.hypot(*ahead)


def test_telemetry_is_near_the_truth_and_not_the_truth(world: Path) -> None:
    known, poses = Flight.open(world / "flight").telemetry, fly(SMALL)
    yaw = [(a.cam_yaw_deg - b.attitude.yaw_deg + 180) % 360 - 180 for a, b in zip(known, poses, strict=True)]
    assert 1 < abs(np.mean(yaw)) < 5
    scale = [a.alt_agl_m / b.alt_agl_m for a, b in zip(known, poses, strict=True)]
    assert 0.94 < min(scale) < max(scale) < 1.06
    assert max(scale) - min(scale) > 1e-3


def test_frames_laid_on_the_ground_show_what_the_map_has_there(world: Path) -> None:
    with rasterio.open(world / "map.tif") as file:
        assert file.crs.to_epsg() == 3857
        step, west, north = file.transform.a, file.transform.c, file.transform.f
    # The same date on both sides: seasons are for the localizer to bridge, here it is geometry alone.
    map_edges = edges(shrunk(paint(draw_plan(SMALL.seed, SMALL.width_m, SMALL.height_m), AUTUMN, PICTURE_GSD_M)))
    flight, truths = Flight.open(world / "flight"), read_truth(world / "flight/truth.csv")
    errors_m = []
    for frame, pose in zip(flight.frames(), fly(SMALL), strict=True):
        ground = truths[frame.t_us].ground
        assert ground is not None
        view = View(frame.picture, flight.camera, pose.attitude, pose.alt_agl_m)
        patch = rectify(view, axis_ground(pose.attitude, pose.alt_agl_m), 30.25, 121)
        point = to_metres(ground)
        at_px = (point.x - west) / step - 0.5, (north - point.y) / step - 0.5  # pixel centres at whole numbers
        around = cv2.getRectSubPix(map_edges, (281, 281), at_px)  # 20 m to each side
        score = cv2.matchTemplate(around, edges(patch.picture), cv2.TM_CCOEFF_NORMED)
        best = np.array(np.unravel_index(score.argmax(), score.shape)) - 80
        errors_m.append(0.25 * float(np.hypot(*best)))
    assert max(errors_m) < 0.6, errors_m


def edges(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5)
    return cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))


def test_map_pixels_are_a_quarter_of_a_metre_on_the_ground(world: Path) -> None:
    with rasterio.open(world / "map.tif") as file:
        assert (file.width, file.height) == (SMALL.width_m * 4, SMALL.height_m * 4)
    assert distance_m(place(0, 100), place(200, 100)) == pytest.approx(200, rel=0.003)
    assert distance_m(place(50, 0), place(50, 200)) == pytest.approx(200, rel=0.003)


def test_a_point_ahead_is_where_the_axis_meets_flat_ground_and_hills_bring_it_nearer() -> None:
    pose = DronePose(0, 100.0, 120.0, 50.0, Attitude(0.0, -45.0, 90.0), (0.0, 10.0))
    assert pose.ground_xy() == pytest.approx((150.0, 120.0))
    rising = Terrain(np.tile(np.linspace(0, 100, 41, dtype=np.float32), (41, 1)), (0.0, 0.0), (10.0, 10.0))
    x, y = pose.ground_xy(rising)
    assert y == pytest.approx(120.0)
    assert 100.0 < x < 150.0


def test_a_flight_is_a_figure_of_eight_that_keeps_from_the_edge() -> None:
    spec = FlightSpec(frames=200)
    poses = fly(spec)
    xy = np.array([(pose.x, pose.y) for pose in poses])
    assert (xy.min(axis=0) > spec.margin_m - 1).all()
    assert (xy.max(axis=0) < np.array([spec.width_m, spec.height_m]) - spec.margin_m + 1).all()
    speed = np.hypot(*np.diff(xy, axis=0).T) / spec.interval_s
    assert np.median(speed) == pytest.approx(spec.speed_mps, rel=0.03)
    for pose, (dx, dy) in zip(poses, np.diff(xy, axis=0), strict=False):
        north, east = pose.velocity_north_east_mps
        assert (north * -dy + east * dx) / np.hypot(dx, dy) > 0.8 * spec.speed_mps, "velocity points along the track"
        assert -75 < pose.attitude.pitch_deg < -55


def test_the_files_that_are_written_hold_no_partial_ones_and_progress_counts_frames(tmp_path: Path) -> None:
    ticks: list[tuple[int, int]] = []
    write_world(tmp_path, replace(SMALL, frames=2), lambda *at: ticks.append(at))
    assert ticks == [(1, 2), (2, 2)]
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"map.tif", *(f"flight/{name}" for name in (
        "camera.yaml", "flight.json", "telemetry.csv", "truth.csv", "frames/0000.jpg", "frames/0001.jpg"))}  # fmt: skip


def test_metres_of_the_world_and_degrees_agree_both_ways() -> None:
    corner, scale = to_metres(place(0, 0)), ground_scale(place(0, 0).lat)
    for x, y in ((0.0, 0.0), (120.0, 250.0), (699.0, 1.0)):
        point = to_metres(place(x, y))
        assert ((point.x - corner.x) * scale, (corner.y - point.y) * scale) == pytest.approx((x, y), abs=1e-6)
