"""A rendered frame against a map of another date: its ground must be found where the camera truly was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.geo.camera import ground_from_pixels
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.features import LocalFeatures
from runtime.locate.offset import OffsetPrior
from runtime.locate.pose import Pose, solve_pose
from runtime.locate.registration import Agreement, Registrar, Registration
from runtime.maps.imagery import Imagery
from tests.runtime.locate.drawn import Scene

SIDE_M = 80.0
PRIOR = OffsetPrior.about_told(np.diag([0.05, 0.03, 0.03, 0.1, 1e-4, 1e-4, 1e-4]) ** 2)


@pytest.fixture(scope="module")
def registrar(toy_tiles: Path, features: LocalFeatures) -> Registrar:
    return Registrar(Imagery(toy_tiles.with_suffix(".mbtiles")), features)


def moved(place: LatLon, east_m: float, north_m: float) -> LatLon:
    return LocalFrame(place).to_latlon(east_m, north_m)


def solved(scene: Scene, fit: Registration | Agreement) -> Pose:
    nominal, height_m = np.asarray(scene.view.attitude), scene.view.alt_agl_m
    pose = solve_pose(scene.view.camera, nominal, height_m, fit.pixel, fit.place_en_m, prior=PRIOR, floor_m=0.4)
    assert pose is not None
    return pose


@pytest.mark.parametrize("guess_off_m", [(0.0, 0.0), (12.0, -15.0)])
def test_the_ground_is_found_and_the_drone_with_it(
    registrar: Registrar, scene: Scene, guess_off_m: tuple[float, float]
) -> None:
    points = registrar.points(scene.view, scene.axis_en_m, SIDE_M, lat=scene.ground.lat)
    fit = registrar.register(points, moved(scene.ground, *guess_off_m), reach_m=25.0)
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
        fit = registrar.register(points, moved(scene.ground, east_m, north_m), reach_m=15.0)
        assert fit is None or fit.support < 16


def test_points_agree_with_the_true_pose_and_with_a_wrong_one_by_chance(
    registrar: Registrar, features: LocalFeatures, scene: Scene
) -> None:
    points = registrar.points(scene.view, scene.axis_en_m, SIDE_M, lat=scene.ground.lat)
    fit = registrar.register(points, scene.ground, reach_m=25.0)
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
    assert registrar.register(points, moved(scene.ground, 5000.0, 0.0), reach_m=25.0) is None
