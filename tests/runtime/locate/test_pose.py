"""The pose solver on made-up planar points: right where the data say so, and honest about the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.geo.camera import Attitude, Camera, ground_from_pixels
from runtime.geo.terrain import FLAT
from runtime.locate.offset import BEND, FOCAL, HEIGHT, TURN, OffsetPrior
from runtime.locate.pose import Pose, rotation_from_vector, solve_pose
from tests.runtime.geo.drawn import hills

Array = NDArray[np.float64]
CAMERA = Camera(1280, 720, np.array([[900.0, 0.0, 639.5], [0.0, 900.0, 359.5], [0.0, 0.0, 1.0]]), np.zeros(5))
HEIGHT_M = 100.0
SIGMA = np.array([0.05, math.radians(2), math.radians(2), math.radians(4), 1e-4, 1e-5, 1e-5])
PRIOR = OffsetPrior.about_told(np.diag(SIGMA**2))
degrees = st.floats(-3, 3)


@dataclass(frozen=True)
class Scene:
    """A true camera and what it sees, next to the attitude that is claimed."""

    nominal: Array  # (3, 3)
    place_m: Array  # (2,) of the camera
    offset: Array  # (7,) of the true camera against the nominal one
    pixel: Array  # (N, 2)
    ground_en_m: Array  # (N, 2)


def offset_of(
    log_height: float = 0.0, turn: tuple[float, float, float] = (0.0, 0.0, 0.0), log_focal: float = 0.0
) -> Array:
    return np.array([log_height, *turn, log_focal, 0.0, 0.0])


def scene(pitch_deg: float, offset: Array, count: int, rng: np.random.Generator, sigma_m: float = 0.0) -> Scene:
    nominal = Attitude(1.0, pitch_deg, 200.0).enu_from_camera()
    pixel = rng.uniform((0, 0), (1279, 719), (count, 2))
    true = nominal @ rotation_from_vector(offset[TURN])
    lens = CAMERA.zoomed(math.exp(offset[FOCAL]))
    ground = ground_from_pixels(lens, true, HEIGHT_M * math.exp(offset[HEIGHT]), pixel)
    place_m = np.array([35.0, -80.0])
    return Scene(nominal, place_m, offset, pixel, ground + place_m + rng.normal(0, sigma_m, ground.shape))


def solved(seen: Scene, floor_m: float = 0.05) -> Pose:
    pose = solve_pose(CAMERA, seen.nominal, HEIGHT_M, seen.pixel, seen.ground_en_m, prior=PRIOR, floor_m=floor_m)
    assert pose is not None
    return pose


@settings(max_examples=30)
@given(st.sampled_from([-90.0, -45.0]), st.floats(-0.06, 0.06), st.tuples(degrees, degrees, st.floats(-8, 8)))
def test_the_pose_is_recovered_from_exact_points(
    pitch_deg: float, log_height: float, turn_deg: tuple[float, float, float]
) -> None:
    offset = offset_of(log_height, tuple(np.radians(turn_deg)))
    seen = scene(pitch_deg, offset, 80, np.random.default_rng(1))
    pose = solved(seen)
    assert (pose.east_m, pose.north_m) == pytest.approx(tuple(seen.place_m), abs=0.3)
    assert pose.height_m == pytest.approx(HEIGHT_M * math.exp(log_height), rel=0.003)
    apart = pose.rotation.T @ seen.nominal @ rotation_from_vector(offset[TURN])
    assert math.degrees(math.acos(min((np.trace(apart) - 1) / 2, 1.0))) < 0.2
    assert pose.residual_m < 0.06


@pytest.mark.parametrize("pitch_deg", [-90.0, -45.0])
def test_outliers_do_not_pull_the_pose(pitch_deg: float) -> None:
    rng = np.random.default_rng(2)
    seen = scene(pitch_deg, offset_of(0.03, (0.02, -0.02, 0.05)), 100, rng, sigma_m=0.3)
    seen.ground_en_m[:30] += rng.uniform(-60, 60, (30, 2))
    pose = solved(seen)
    assert np.hypot(pose.east_m - 35.0, pose.north_m + 80.0) < 3.0 * math.sqrt(np.linalg.eigvalsh(pose.cov[:2, :2])[1])
    assert pose.residual_m < 0.8


@pytest.mark.parametrize("pitch_deg", [-90.0, -60.0, -45.0])
def test_the_stated_covariance_bears_out_in_many_trials(pitch_deg: float) -> None:
    """Normalised estimation error squared is chi-square with two degrees of freedom: its mean is 2, less is careful."""
    rng = np.random.default_rng(3)
    nees = []
    for _ in range(150):
        seen = scene(pitch_deg, rng.normal(0.0, SIGMA), 25, rng, sigma_m=0.5)
        pose = solved(seen)
        error = np.array([pose.east_m, pose.north_m]) - seen.place_m
        nees.append(float(error @ np.linalg.solve(pose.cov[:2, :2], error)))
    assert 0.3 < np.mean(nees) < 2.8
    inside_90 = np.mean(np.array(nees) < -2 * math.log(0.1))
    assert inside_90 > 0.8


@settings(max_examples=30)
@given(st.integers(0, 99), st.sampled_from([-90.0, -60.0, -45.0]), st.floats(-0.06, 0.06), st.floats(-3, 3))
def test_over_hills_the_pose_is_recovered_where_they_are_known(
    seed: int, pitch_deg: float, log_height: float, turn_deg: float
) -> None:
    terrain, rng = hills(seed, 30.0), np.random.default_rng(seed)
    offset = offset_of(log_height, tuple(np.radians([turn_deg, -turn_deg, 2 * turn_deg])))
    seen = scene(pitch_deg, offset, 80, rng)
    true = Pose(*seen.place_m, HEIGHT_M * math.exp(log_height), seen.nominal @ rotation_from_vector(offset[TURN]),
                offset, np.eye(9), 0.0)  # fmt: skip
    place_en_m = true.ground_en_m(CAMERA.rays(seen.pixel), terrain)
    poses = [
        solve_pose(CAMERA, seen.nominal, HEIGHT_M, seen.pixel, place_en_m, prior=PRIOR, floor_m=0.05, terrain=known)
        for known in (terrain, FLAT)
    ]
    known, unknown = (math.inf if p is None else math.hypot(*(seen.place_m - (p.east_m, p.north_m))) for p in poses)
    assert known < 0.3
    assert unknown > 3 * known
    assert poses[0] is not None
    assert poses[0].height_m == pytest.approx(true.height_m, rel=0.004)


def test_a_thousand_points_claim_no_more_than_some_tens() -> None:
    rng = np.random.default_rng(4)
    pose = solved(scene(-60.0, offset_of(), 1000, rng, sigma_m=1.0))
    assert np.linalg.eigvalsh(pose.cov[:2, :2])[0] >= 0.8 * 1.0 / 30


def test_the_floor_bounds_what_perfect_points_claim() -> None:
    pose = solved(scene(-90.0, offset_of(), 60, np.random.default_rng(5)), floor_m=0.5)
    assert np.linalg.eigvalsh(pose.cov[:2, :2])[0] >= 0.8 * 0.25 / 30


def test_points_too_near_each_other_to_tell_leave_attitude_and_height_as_claimed() -> None:
    rng = np.random.default_rng(8)
    nominal = scene(-85.0, offset_of(), 30, rng)
    pixel = nominal.pixel / 16 + (600, 330)  # in a corner of 80 by 45 pixels
    ground = ground_from_pixels(CAMERA, nominal.nominal, HEIGHT_M, pixel) + nominal.place_m
    pose = solved(
        Scene(nominal.nominal, nominal.place_m, offset_of(), pixel, ground + rng.normal(0, 1.0, ground.shape))
    )
    assert np.abs(pose.offset / SIGMA).max() < 1.0
    assert np.sqrt(np.diag(pose.cov)[3:5]) == pytest.approx(SIGMA[1:3], rel=0.1)


def test_points_above_the_horizon_have_no_pose() -> None:
    seen = scene(-60.0, offset_of(), 40, np.random.default_rng(6))
    level = Attitude(0.0, -5.0, 0.0).enu_from_camera()
    assert solve_pose(CAMERA, level, HEIGHT_M, seen.pixel, seen.ground_en_m, prior=PRIOR, floor_m=0.5) is None


def test_points_that_fit_no_camera_are_not_believed() -> None:
    rng = np.random.default_rng(7)
    seen = scene(-80.0, offset_of(), 40, rng)
    seen.ground_en_m[:] = rng.uniform(-200, 200, (40, 2))
    pose = solve_pose(CAMERA, seen.nominal, HEIGHT_M, seen.pixel, seen.ground_en_m, prior=PRIOR, floor_m=0.5)
    assert pose is None or pose.residual_m > 20.0


@pytest.mark.parametrize("longer", [-0.07, 0.07])
def test_an_oblique_view_tells_a_lens_that_is_longer_than_told(longer: float) -> None:
    """From a told pitch and height, the ground's scale, its foreshortening and its narrowing fix the focal length."""
    seen = scene(-45.0, offset_of(log_focal=math.log1p(longer)), 80, np.random.default_rng(9), sigma_m=0.2)
    free = OffsetPrior.about_told(np.diag((SIGMA + 0.07 * np.eye(7)[FOCAL]) ** 2))
    fixed, found = (
        solve_pose(CAMERA, seen.nominal, HEIGHT_M, seen.pixel, seen.ground_en_m, prior=prior, floor_m=0.05)
        for prior in (PRIOR, free)
    )
    assert fixed is not None and found is not None
    off = [math.hypot(pose.east_m - seen.place_m[0], pose.north_m - seen.place_m[1]) for pose in (fixed, found)]
    assert found.offset[FOCAL] == pytest.approx(math.log1p(longer), abs=0.015)
    assert off[1] < 1.5 < 2.0 * off[1] + off[0], "metres, of a height of 100"


def bent(seen: Scene, slope: float) -> Array:
    """Return matches as ground shows them that rises eastwards from the picture's middle: too near, or too far."""
    middle = seen.ground_en_m.mean(axis=0)
    up_m = slope * (seen.ground_en_m - middle)[:, :1]
    return seen.ground_en_m + up_m * (seen.ground_en_m - seen.place_m) / HEIGHT_M


def test_ground_that_slopes_bends_matches_and_moves_no_drone_whose_gimbal_is_believed() -> None:
    """Five per cent of slope look like 3 degrees of tilt: 5 m at a height of 100."""
    seen = scene(-90.0, offset_of(), 120, np.random.default_rng(10))
    told = np.array([0.05, *np.radians([0.3, 0.3, 4.0]), 1e-4, 0.05, 0.05])
    wide = np.array([0.05, *np.radians([6.0, 6.0, 4.0]), 1e-4, 1e-5, 1e-5])
    poses = [
        solve_pose(
            CAMERA,
            seen.nominal,
            HEIGHT_M,
            seen.pixel,
            bent(seen, 0.05),
            prior=OffsetPrior.about_told(np.diag(sigma**2)),
            floor_m=0.2,
        )
        for sigma in (told, wide)
    ]
    off = [math.inf if p is None else math.hypot(p.east_m - 35.0, p.north_m + 80.0) for p in poses]
    assert off[0] < 0.5
    assert off[1] > 3.0
    assert poses[0] is not None
    assert math.hypot(*poses[0].offset[BEND]) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("pitch_deg", [-90.0, -50.0])
@pytest.mark.parametrize("longer", [-0.07, 0.0, 0.07])
@pytest.mark.parametrize("slope_en", [(0.08, 0.0), (0.0, -0.08), (-0.05, 0.06)])
@pytest.mark.parametrize("yaw_deg", [0.0, 130.0])
def test_a_bend_is_the_slope_of_the_ground_whatever_the_lens(
    slope_en: tuple[float, float], longer: float, pitch_deg: float, yaw_deg: float
) -> None:
    """From the origin each ray meets a plane through the ground in the picture's middle."""
    rng = np.random.default_rng(5)
    pixel = rng.uniform((0.0, 0.0), (CAMERA.width_px - 1.0, CAMERA.height_px - 1.0), (150, 2))
    nominal = np.asarray(Attitude(0.0, pitch_deg, yaw_deg).enu_from_camera())
    level = ground_from_pixels(CAMERA.zoomed(1.0 + longer), nominal, HEIGHT_M, pixel)
    middle = ground_from_pixels(CAMERA.zoomed(1.0 + longer), nominal, HEIGHT_M, np.median(pixel, axis=0)[None])[0]
    rise_m = level @ slope_en - middle @ slope_en
    place = level * (1.0 - rise_m / (HEIGHT_M + level @ slope_en))[:, None]
    fallen_m = HEIGHT_M * (1 - np.linalg.norm(place, axis=1) / np.linalg.norm(level, axis=1))
    assert (place - middle) @ slope_en == pytest.approx(fallen_m, abs=1e-6)
    sigma = np.array([0.1, *np.radians([0.3, 0.3, 0.3]), 1e-6, 0.2, 0.2])
    prior = OffsetPrior(np.array([0.0, 0.0, 0.0, 0.0, math.log1p(longer), 0.0, 0.0]), np.diag(sigma**2))
    pose = solve_pose(CAMERA, nominal, HEIGHT_M, pixel, place, prior=prior, floor_m=0.05)
    assert pose is not None
    assert math.hypot(pose.east_m, pose.north_m) < 0.5
    told = pose.offset[BEND] * math.exp(2.0 * pose.offset[FOCAL] - pose.offset[HEIGHT])
    assert pose.height_m == pytest.approx(HEIGHT_M, rel=0.02)
    forward = np.array([math.sin(math.radians(yaw_deg)), math.cos(math.radians(yaw_deg))])
    right = np.array([forward[1], -forward[0]])
    assert -told == pytest.approx([slope_en @ forward, slope_en @ right], abs=0.01)


@pytest.mark.parametrize("tilt_deg", [0.0, 6.0])
def test_evidence_favours_the_prior_that_foretold_the_tilt(tilt_deg: float) -> None:
    """A narrow prior has more evidence than a wide one where the camera looks as told, and less where it does not."""
    seen = scene(-90.0, offset_of(turn=(math.radians(tilt_deg), 0.0, 0.0)), 80, np.random.default_rng(11), sigma_m=0.3)
    start = solved(seen)
    evidence = []
    for sigma_deg in (0.3, 6.0):
        sigma = np.array([0.05, *np.radians([sigma_deg, sigma_deg, 4.0]), 1e-4, 1e-3, 1e-3])
        pose = solve_pose(
            CAMERA,
            seen.nominal,
            HEIGHT_M,
            seen.pixel,
            seen.ground_en_m,
            prior=OffsetPrior.about_told(np.diag(sigma**2)),
            floor_m=0.05,
            start=start,
        )
        assert pose is not None
        evidence.append(pose.log_evidence)
    assert (evidence[0] > evidence[1]) is (tilt_deg == 0.0)
