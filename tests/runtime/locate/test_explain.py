"""Three accounts of a mount on made-up flights: which is believed, what it costs, and what is claimed meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from runtime.geo.camera import Attitude, Camera, ground_from_pixels
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View
from runtime.geo.terrain import FLAT, Terrain
from runtime.locate.explain import explained
from runtime.locate.ground_view import GroundView
from runtime.locate.limits import MOUNT
from runtime.locate.mount import MountEstimate, first_uncertainty
from runtime.locate.offset import FOCAL, TURN, OffsetPrior
from runtime.locate.pose import rotation_from_vector, solve_pose
from runtime.locate.registration import Registration
from runtime.locate.verify import RegisteredView
from runtime.types import FloatArray

CAMERA = Camera(1280, 720, np.array([[900.0, 0.0, 639.5], [0.0, 900.0, 359.5], [0.0, 0.0, 1.0]]), np.zeros(5))
HEIGHT_M, FLOOR_M, FRAMES = 100.0, 0.3, 24
TOLD, CONSTANT, UNTOLD = range(3)
Tilt = Callable[[int], tuple[float, float]]  # degrees about the picture's x and y axes, of a frame


def registered(
    rng: np.random.Generator,
    told: Attitude,
    mount: MountEstimate,
    tilt_deg: tuple[float, float],
    *,
    agreement: float = 0.7,
    slope: float = 0.0,
    longer: float = 0.0,
) -> RegisteredView:
    """A frame whose camera hangs at the origin, tilted against what is told, over ground that may slope."""
    rotation = told.enu_from_camera()
    pixel = rng.uniform((0, 0), (1279, 719), (200, 2))
    true = rotation @ rotation_from_vector(np.radians([*tilt_deg, 0.0]))
    ground = ground_from_pixels(CAMERA.zoomed(1.0 + longer), true, HEIGHT_M, pixel)
    uphill = rng.normal(0.0, slope, 2)
    # The ground rises with ``uphill`` from the level that it has in the middle of what is seen.
    ground *= (HEIGHT_M + np.median(ground, axis=0) @ uphill) / (HEIGHT_M + ground @ uphill)[:, None]
    place = ground + rng.normal(0.0, 0.3, ground.shape)
    uncertainty = first_uncertainty(rotation, roll_known=True, yaw_known=True)
    picture = np.zeros((720, 1280, 3), np.uint8)
    known, height_m = mount.correct(rotation, HEIGHT_M)
    lens = CAMERA.zoomed(mount.focal_scale)
    view = GroundView(
        picture, lens, known, height_m, View(picture, CAMERA, rotation, HEIGHT_M), uncertainty, (0.0, 0.0), 100.0,
        (0.0, 0.0),
    )  # fmt: skip
    free = OffsetPrior.about_told(np.diag(np.square([0.1, 0.2, 0.2, 0.2, 0.07, 1e-3, 1e-3])))
    pose = solve_pose(lens, known, height_m, pixel, place, prior=free, floor_m=FLOOR_M)
    assert pose is not None
    origin = LocalFrame(LatLon(47.5, 8.2))
    found = Registration(origin, pixel, place, 60, 0, np.zeros(2), 1.0, 0.0)
    return RegisteredView(view, found, pose, agreement, pixel, place, FLAT)


def flown(told: Attitude, tilt: Tilt, seed: int = 0, **ground: float) -> tuple[MountEstimate, FloatArray, FloatArray]:
    """Explain a flight's frames in a row: the mount at its end, and each frame's error and 99.9% bound (N,), metres."""
    rng, mount = np.random.default_rng(seed), MountEstimate()
    errors, bounds = [], []
    for k in range(FRAMES):
        found = explained(registered(rng, told, mount, tilt(k), **ground), mount, FLOOR_M)
        assert found is not None
        mount = found.mount
        errors.append(math.hypot(*found.position_en_m))
        bounds.append(3.72 * math.sqrt(np.linalg.eigvalsh(found.cov_m2 + np.eye(2))[-1]))
    return mount, np.array(errors), np.array(bounds)


@pytest.mark.parametrize("slope", [0.025, 0.07])
@pytest.mark.parametrize("seed", range(3))
def test_a_gimbal_that_tells_the_truth_is_believed_over_ground_that_slopes(seed: int, slope: float) -> None:
    """Slopes of 7%, another in each frame, look like 4 degrees of tilt: 7 m, of which the gimbal knows nothing; nor
    is the lens a shorter one, whose view would bend more.
    """
    mount, errors, bounds = flown(Attitude(0, -90, 40), lambda _: (0.0, 0.0), seed, slope=slope)
    assert mount.weights.argmax() == TOLD
    assert np.median(errors) < 1.0
    assert (errors < bounds).all()
    assert mount.mean[FOCAL] == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_a_mount_that_leans_is_found_within_some_frames(seed: int) -> None:
    """Eight degrees forward are 14 m, until they are taken out; until then the fix says so."""
    mount, errors, bounds = flown(Attitude(0, -90, 40), lambda _: (8.0, 0.0), seed, slope=0.02)
    assert mount.weights.argmax() == CONSTANT
    assert np.median(errors[8:]) < 4.0
    assert (errors < bounds).all()
    assert math.degrees(mount.accounts[CONSTANT].mean[1]) == pytest.approx(8.0, abs=1.5)


@pytest.mark.parametrize("seed", range(3))
def test_a_camera_that_swings_untold_is_solved_frame_by_frame(seed: int) -> None:
    swing = np.random.default_rng(100 + seed).uniform(-15.0, 15.0, (FRAMES, 2))
    mount, errors, bounds = flown(Attitude(0, -90, 40), lambda k: tuple(swing[k]), seed)
    assert mount.weights.argmax() == UNTOLD
    assert np.median(errors) < 2.0
    assert (errors < bounds).all()


@pytest.mark.parametrize("longer", [-0.07, 0.07])
def test_an_oblique_flight_finds_the_focal_length(longer: float) -> None:
    """At 45 degrees 7% of the focal length are 7 m along the view."""
    mount, errors, bounds = flown(Attitude(0, -45, 40), lambda _: (0.0, 0.0), longer=longer)
    assert mount.mean[FOCAL] == pytest.approx(math.log1p(longer), abs=0.015)
    assert np.median(errors[8:]) < 2.0
    assert (errors < bounds).all()


def test_a_tilt_that_an_account_finds_is_told_though_a_likelier_one_finds_none() -> None:
    """Slopes explain four degrees as well as a tilt does: both may be right, and both are in the ellipse."""
    mount = MountEstimate()
    found = explained(registered(np.random.default_rng(1), Attitude(0, -90, 0), mount, (4.0, 0.0)), mount, FLOOR_M)
    assert found is not None
    leader, second = np.sort(found.mount.weights)[::-1][:2]
    assert second > MOUNT.may_be_right
    assert math.hypot(*found.pose.offset[TURN][:2]) < math.radians(1.0), f"told is believed, {leader:.2f}"
    assert found.tilt_rad > math.radians(2.0)
    assert 3.72 * math.sqrt(np.linalg.eigvalsh(found.cov_m2)[-1]) > 7.0 > math.hypot(*found.position_en_m)


def test_where_heights_are_known_no_slope_is_allowed_for() -> None:
    """Eight degrees that a level DEM does not explain are the camera's; without one they may be the ground's."""
    mount = MountEstimate()
    frame = registered(np.random.default_rng(2), Attitude(0, -90, 0), mount, (8.0, 0.0))
    hill = Terrain(np.array([[0.0, 0.0], [0.0, 1e-3]]), (-500.0, 500.0), (1000.0, 1000.0))
    without, known = (explained(replace(frame, terrain=one), mount, FLOOR_M) for one in (FLAT, hill))
    assert without is not None
    assert known is not None
    assert known.mount.weights[TOLD] < 0.3 * without.mount.weights[TOLD]


def test_an_attitude_under_which_nothing_is_seen_is_out() -> None:
    """Told to look at the horizon, the first account sees points above it; the others explain the frame without it."""
    rng, mount = np.random.default_rng(0), MountEstimate()
    steep = registered(rng, Attitude(0, -40, 0), mount, (-0.0, 0.0))
    level = Attitude(0, -16, 0).enu_from_camera()
    view = steep.view
    wrong = GroundView(
        view.picture, view.camera, np.asarray(view.attitude), view.alt_agl_m,
        View(view.picture, CAMERA, level, HEIGHT_M), view.uncertainty, (0.0, 0.0), 100.0, (0.0, 0.0),
    )  # fmt: skip
    found = explained(RegisteredView(wrong, steep.registration, steep.pose, 0.7, steep.pixel, steep.place_en_m, FLAT),
                      mount, FLOOR_M)  # fmt: skip
    assert found is not None
    assert found.mount.weights[TOLD] < 0.02
    assert found.mount.weights.sum() == pytest.approx(1.0)
    assert math.hypot(*found.position_en_m) < 15.0


@pytest.mark.parametrize(("agreement", "missing_m"), [(0.2, 8.3), (0.5, 0.0)])
def test_of_a_tilt_that_few_points_bear_out_a_part_may_be_missing(agreement: float, missing_m: float) -> None:
    """One account finds all ten degrees at once; from 100 m half of them is 8.3 m."""
    mount = MountEstimate()
    frame = registered(np.random.default_rng(0), Attitude(0, -90, 0), mount, (10.0, 0.0), agreement=agreement)
    found = explained(frame, mount, FLOOR_M)
    assert found is not None
    assert found.missing_m == pytest.approx(missing_m, abs=1.0)
