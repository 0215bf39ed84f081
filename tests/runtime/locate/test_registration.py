"""A rendered frame against a map of another date: its ground must be found where the camera truly was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.camera import Attitude, axis_ground, ground_from_pixels
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon, Metres, to_metres
from runtime.geo.rectify import View
from runtime.locate.features import LocalFeatures, _bilinear
from runtime.locate.map_features import MapFeatures
from runtime.locate.pose import Pose, solve_pose
from runtime.locate.registration import Agreement, Registrar, Registration
from runtime.locate.similarity import mutual_matches
from runtime.maps.imagery import Imagery
from runtime.model.bundle import Bundle

SIDE_M = 80.0
PRIOR = np.diag([0.05, 0.03, 0.03, 0.1]) ** 2


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 10**6))
def test_matches_are_those_of_a_slow_loop(count_a: int, count_b: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(n, 8)).astype(np.float32) for n in (count_a, count_b))
    wanted = set()
    for i in range(count_a):
        j = max(range(count_b), key=lambda k: float(a[i] @ b[k]))
        if i == max(range(count_a), key=lambda k: float(a[k] @ b[j])):
            wanted.add((i, j))
    mine, theirs = mutual_matches(a, b)
    assert set(zip(mine.tolist(), theirs.tolist(), strict=True)) == wanted


@dataclass(frozen=True)
class Scene:
    """A frame of the generated world as its telemetry lays it out, and where it truly was."""

    view: View
    axis_en_m: tuple[float, float]
    drone: LatLon
    ground: LatLon


@pytest.fixture(scope="module", params=["own", "xfeat"])
def features(request: pytest.FixtureRequest, default_bundle: Path) -> LocalFeatures:
    """The encoder's own, and XFeat, which may stand in for them."""
    if request.param == "own":
        return LocalFeatures(Bundle.open(default_bundle), threads=2)
    return LocalFeatures(Bundle.open(request.getfixturevalue("matcher"), "matcher"), threads=2)


@pytest.fixture(scope="module")
def registrar(toy_tiles: Path, features: LocalFeatures) -> Registrar:
    return Registrar(Imagery(toy_tiles.with_suffix(".mbtiles")), features)


@pytest.fixture(scope="module")
def scene(small_world: Path) -> Scene:
    flight = Flight.open(small_world / "flight")
    frame = next(iter(flight.frames()))
    known = frame.telemetry
    attitude = Attitude(known.cam_roll_deg, known.cam_pitch_deg, known.cam_yaw_deg)
    truth = read_truth(small_world / "flight/truth.csv")[frame.t_us]
    ahead = axis_ground(attitude, known.alt_agl_m)
    assert ahead is not None
    assert truth.drone is not None
    assert truth.ground is not None
    view = View(frame.picture, flight.camera, attitude.enu_from_camera(), known.alt_agl_m)
    return Scene(view, ahead, truth.drone, truth.ground)


def moved(place: LatLon, east_m: float, north_m: float) -> LatLon:
    return LocalFrame(place).to_latlon(east_m, north_m)


def solved(scene: Scene, fit: Registration | Agreement) -> Pose:
    nominal, height_m = np.asarray(scene.view.attitude), scene.view.alt_agl_m
    pose = solve_pose(scene.view.camera, nominal, height_m, fit.pixel, fit.place_en_m, prior_cov=PRIOR, floor_m=0.4)
    assert pose is not None
    return pose


@pytest.mark.parametrize("guess_off_m", [(0.0, 0.0), (12.0, -15.0)])
def test_the_ground_is_found_and_the_drone_with_it(
    registrar: Registrar, scene: Scene, guess_off_m: tuple[float, float]
) -> None:
    points = registrar.points(scene.view, scene.axis_en_m, SIDE_M, lat=scene.ground.lat)
    fit = registrar.register(points, moved(scene.ground, *guess_off_m), reach_m=25.0, max_turn_deg=30.0)
    assert fit is not None
    assert fit.support >= 22
    assert distance_m(fit.centre, scene.ground) < 4.0  # a similarity bears no perspective
    first = solved(scene, fit)
    seen = ground_from_pixels(scene.view.camera, first.rotation, first.height_m, points.pixel)
    pose = solved(scene, registrar.agreement(points, fit, seen + np.array([first.east_m, first.north_m])))
    error = np.array(LocalFrame(scene.drone).to_en(fit.origin.to_latlon(pose.east_m, pose.north_m)))
    assert np.hypot(*error) < 2.0
    assert error @ np.linalg.solve(pose.cov[:2, :2] + np.eye(2), error) < 9.21


def test_points_know_their_pixels_and_their_ground(registrar: Registrar, scene: Scene) -> None:
    points = registrar.points(scene.view, scene.axis_en_m, SIDE_M, lat=scene.ground.lat)
    assert len(points.pixel) > 100
    assert scene.view.ground(points.pixel) == pytest.approx(points.ground_en_m, abs=1e-6)
    assert (points.pixel >= 0).all()
    assert (points.pixel <= (scene.view.camera.width_px - 1, scene.view.camera.height_px - 1)).all()


def test_another_place_supports_less_than_the_right_one(registrar: Registrar, scene: Scene) -> None:
    points = registrar.points(scene.view, scene.axis_en_m, SIDE_M, lat=scene.ground.lat)
    for east_m, north_m in ((120.0, 0.0), (0.0, 110.0), (-90.0, 80.0)):
        fit = registrar.register(points, moved(scene.ground, east_m, north_m), reach_m=15.0, max_turn_deg=30.0)
        assert fit is None or fit.support < 16


def test_points_agree_with_the_true_pose_and_with_a_wrong_one_by_chance(
    registrar: Registrar, features: LocalFeatures, scene: Scene
) -> None:
    points = registrar.points(scene.view, scene.axis_en_m, SIDE_M, lat=scene.ground.lat)
    fit = registrar.register(points, scene.ground, reach_m=25.0, max_turn_deg=30.0)
    assert fit is not None
    pose = solved(scene, fit)
    ground = ground_from_pixels(scene.view.camera, pose.rotation, pose.height_m, points.pixel)
    predicted = ground + np.array([pose.east_m, pose.north_m])
    right = registrar.agreement(points, fit, predicted)
    assert right.share > features.min_agreement[0]
    assert len(right.pixel) == len(right.place_en_m) > 50
    wrong = [registrar.agreement(points, fit, predicted + np.array(away)).share for away in ((9.0, -9.0), (-25.0, 0.0))]
    assert max(wrong) < 0.1
    nowhere = replace(fit, shift_en_m=np.array([5000.0, 0.0]))
    for predicted in (points.ground_en_m, np.full_like(points.ground_en_m, np.nan)):
        assert registrar.agreement(points, nowhere, predicted).share == 0.0


def test_beyond_the_map_there_is_no_fit(registrar: Registrar, scene: Scene) -> None:
    points = registrar.points(scene.view, scene.axis_en_m, SIDE_M, lat=scene.ground.lat)
    assert registrar.register(points, moved(scene.ground, 5000.0, 0.0), reach_m=25.0, max_turn_deg=30.0) is None


def test_keypoints_keep_away_from_what_is_not_seen_and_from_padding(features: LocalFeatures) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (150, 203, 3), dtype=np.uint8)  # no multiple of 32
    seen = np.ones((150, 203), bool)
    seen[:, :70] = False
    found = features.detect(picture, seen, 400)
    assert 20 < len(found.xy) <= 400
    assert found.xy[:, 0].min() >= 70 + 4
    assert (found.xy <= (203 - 1 - 4, 150 - 1 - 4)).all()
    assert np.linalg.norm(found.descriptor, axis=1) == pytest.approx(1.0, abs=1e-5)
    nothing = features.detect(picture, np.zeros((150, 203), bool), 400)
    assert nothing.xy.shape == (0, 2)
    assert nothing.descriptor.shape == (0, 64)


def test_descriptors_are_read_between_the_middles_of_cells() -> None:
    rows, columns = np.mgrid[:9, :12]
    middles = np.dstack([columns * 8 + 3.5, rows * 8 + 3.5]).astype(np.float32)
    xy = np.random.default_rng(0).uniform((3.5, 3.5), (91.5, 67.5), (50, 2)).astype(np.float32)
    assert _bilinear(middles, xy, 8) == pytest.approx(xy, abs=1e-4)


def test_map_points_lie_where_the_map_shows_them(toy_tiles: Path, features: LocalFeatures, scene: Scene) -> None:
    imagery = Imagery(toy_tiles.with_suffix(".mbtiles"))
    around = MapFeatures(imagery, features).around(to_metres(scene.ground), 60.0, 1)
    step = imagery.metres_per_px * np.sqrt(2)
    assert len(around.place_m) > 50
    off_px = []
    for place, descriptor in list(zip(around.place_m, around.descriptor, strict=True))[:25]:
        found = features.detect(*imagery.window(Metres(*place), 96 * step, 96), 200)
        off_px.append(found.xy[(found.descriptor @ descriptor).argmax()] - 47.5)
    assert np.abs(np.median(off_px, axis=0)).max() < 1.0


def test_a_shifted_picture_has_the_same_descriptors_at_shifted_points(features: LocalFeatures, scene: Scene) -> None:
    whole = scene.view.picture[:320, :480]
    part = np.ascontiguousarray(scene.view.picture[16:336, 32:512])  # whole cells of the coarse grid
    a, b = (features.detect(p, np.ones(p.shape[:2], bool), 300) for p in (whole, part))
    mine, theirs = mutual_matches(a.descriptor, b.descriptor)
    shift = a.xy[mine] - b.xy[theirs]
    right = np.abs(shift - (32, 16)).max(axis=1) <= 1.0
    assert right.sum() > 60
    assert right.mean() > 0.6
