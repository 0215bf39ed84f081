"""What a flight learns of its camera's mount, against a plain Kalman filter on the same measurements."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from runtime.geo.camera import Attitude, axis_ground
from runtime.locate.limits import ACCOUNTS, MOUNT
from runtime.locate.mount import Account, MountEstimate, Uncertainty, first_uncertainty, is_plausible
from runtime.locate.offset import BEND, FOCAL, HEIGHT, SIZE, TURN
from runtime.locate.pose import Pose
from runtime.types import FloatArray

NADIR = Attitude(0, -90, 30).enu_from_camera()
TOLD, CONSTANT, UNTOLD = range(3)
DRIFT = np.diag(np.square(MOUNT.drift))


def pose_of(prior: FloatArray, mean: FloatArray, measured: FloatArray, noise: FloatArray) -> Pose:
    """What a solver makes of a direct measurement of the offset (7,) under a prior: mean, covariance (7, 7)."""
    weight = prior @ np.linalg.inv(prior + noise)
    cov = np.zeros((2 + SIZE, 2 + SIZE))
    cov[2:, 2:] = prior - weight @ prior
    return Pose(0.0, 0.0, 100.0, NADIR, mean + weight @ (measured - mean), cov, 0.1)


def taught(mount: MountEstimate, priors: tuple[Uncertainty, ...], measured: FloatArray, weights: FloatArray,
           sigma: float = 0.01) -> MountEstimate:  # fmt: skip
    poses = [
        pose_of(one.frame_prior(prior).cov, one.mean, measured, np.eye(SIZE) * sigma**2)
        for one, prior in zip(mount.accounts, priors, strict=True)
    ]
    return mount.learned(priors, poses, weights)


def test_learning_from_poses_is_a_kalman_filter_on_what_they_measured() -> None:
    """A pose is prior and measurement in one; the estimate must not count the prior twice."""
    rng = np.random.default_rng(0)
    prior = first_uncertainty(NADIR, roll_known=True, yaw_known=True)[CONSTANT]
    noise = np.eye(SIZE) * 0.02**2
    account, mean, cov = Account(1.0, np.zeros(SIZE)), np.zeros(SIZE), prior.mount
    for k in range(6):
        measured = rng.normal(0, 0.05, SIZE)
        account = account.learned(prior, pose_of(account.frame_prior(prior).cov, account.mean, measured, noise))
        before = cov if k == 0 else cov + DRIFT
        gain = before @ np.linalg.inv(before + prior.frame + noise)
        mean, cov = mean + gain @ (measured - mean), before - gain @ before
        assert account.mean == pytest.approx(mean)
        assert account.cov == pytest.approx(cov)


def test_a_steady_mount_is_found_and_taken_out() -> None:
    """Eight degrees forward, three per cent high: what the fengyuan flight has."""
    priors = first_uncertainty(NADIR, roll_known=True, yaw_known=True)
    truth, mount = np.array([0.03, math.radians(8.0), 0.0, 0.0, 0.0, 0.0, 0.0]), MountEstimate()
    for _ in range(15):
        mount = taught(mount, priors, truth, np.eye(3)[CONSTANT])
    rotation, height_m = mount.correct(NADIR, 100.0)
    ahead = axis_ground(rotation, height_m)
    assert height_m == pytest.approx(103.0, abs=0.5)
    assert ahead is not None
    assert np.hypot(*ahead) == pytest.approx(103.0 * math.tan(math.radians(8.0)), abs=1.0)
    assert np.degrees(math.atan2(ahead[0], ahead[1])) == pytest.approx(30.0, abs=2.0), "forward is where the top is"
    assert np.diag(mount.frame_cov(priors))[1] < np.diag(MountEstimate().frame_cov(priors))[1] / 4


@pytest.mark.parametrize("attitude", [Attitude(0, -90, 0), Attitude(5, -45, 200), Attitude(0, -60, 90)])
def test_an_unknown_heading_is_a_turn_about_the_vertical(attitude: Attitude) -> None:
    rotation = attitude.enu_from_camera()
    told, supposed = (first_uncertainty(rotation, roll_known=True, yaw_known=known)[TOLD] for known in (True, False))
    apart_deg2 = MOUNT.headings_apart_deg**2 / 12 - MOUNT.yaw_jitter_deg**2
    for more, less, sigma_deg in (
        (told.mount, supposed.mount, ACCOUNTS[TOLD].yaw_sigma_deg),  # the same all along the flight
        (supposed.frame, told.frame, math.sqrt(apart_deg2)),  # another each time
    ):
        values, axes = np.linalg.eigh((more - less)[TURN, TURN])
        assert values == pytest.approx([0, 0, math.radians(sigma_deg) ** 2], abs=1e-9)
        assert abs(rotation @ axes[:, 2]) == pytest.approx([0, 0, 1], abs=1e-9)
    for one in first_uncertainty(rotation, roll_known=False, yaw_known=False):
        assert np.linalg.eigvalsh(one.mount)[0] > 0


def test_a_supposed_heading_teaches_nothing_of_the_next() -> None:
    """Twelve degrees one way, then twelve the other: a heading that is tried is wrong anew in each frame."""
    priors, mount = first_uncertainty(NADIR, roll_known=True, yaw_known=False), MountEstimate()
    for k in range(12):
        measured = np.array([0.0, 0.0, 0.0, math.radians(12.0) * (-1) ** k, 0.0, 0.0, 0.0])
        mount = taught(mount, priors, measured, mount.weights)
        assert abs(mount.mean[TURN][2]) < math.radians(3.0)
        assert mount.frame_cov(priors)[3, 3] > math.radians(8.0) ** 2


@pytest.mark.parametrize(
    ("scale", "turn_deg", "at_first", "later"),
    [
        (1.0, 0.0, True, True),
        (1.2, 14.0, True, False),  # too high by a fifth and a compass off: so flights begin, and do not go on
        (1.0, 22.0, True, False),
        (1.6, 0.0, False, False),
        (0.95, -4.0, True, True),
        (float("nan"), 0.0, False, False),
    ],
)
def test_a_fit_must_be_plausible_and_more_so_when_the_mount_is_known(
    scale: float, turn_deg: float, at_first: bool, later: bool
) -> None:
    first = MountEstimate().frame_cov(first_uncertainty(NADIR, roll_known=True, yaw_known=True))
    known = np.diag(np.square([0.03, 0.03, 0.03, 0.05, 0.02, 0.01, 0.01]))
    assert is_plausible(NADIR, first, scale=scale, turn_deg=turn_deg) is at_first
    assert is_plausible(NADIR, known, scale=scale, turn_deg=turn_deg) is later


def test_a_longer_lens_and_a_lower_drone_see_the_same_scale() -> None:
    """A scale of 0.67 is plausible by height and lens together, and by neither alone."""
    height, lens = np.diag([0.1**2, *[1e-4] * 6]), np.diag([1e-4, *[1e-4] * 3, 0.1**2, 1e-4, 1e-4])
    assert not any(is_plausible(NADIR, cov, scale=0.67, turn_deg=0.0) for cov in (height, lens))
    assert is_plausible(NADIR, height + lens, scale=0.67, turn_deg=0.0)


def test_learning_leaves_the_estimate_before_it_as_it_was() -> None:
    priors, before = first_uncertainty(NADIR, roll_known=True, yaw_known=True), MountEstimate()
    after = taught(before, priors, np.full(SIZE, 0.02), before.weights)
    assert all(one.cov is None and not one.mean.any() for one in before.accounts)
    assert after.mean.all(), "each of the seven was taken in"


def test_an_account_that_is_refuted_begins_anew_and_none_is_given_up_for_ever() -> None:
    priors, mount = first_uncertainty(NADIR, roll_known=True, yaw_known=True), MountEstimate()
    for _ in range(5):
        mount = taught(mount, priors, np.full(SIZE, 0.02), np.eye(3)[UNTOLD])
    told, constant, untold = mount.accounts
    assert told.cov is None and constant.cov is None and untold.cov is not None
    assert untold.weight > 0.98
    assert told.weight == pytest.approx(MOUNT.forgotten * ACCOUNTS[TOLD].weight)
    without = mount.learned(priors, [None, None, None], mount.weights)
    assert all(one.cov is None for one in without.accounts), "what has no pose teaches nothing"


@pytest.mark.parametrize(
    ("offset", "doubted"),
    [
        ({TURN.start + 2: math.radians(20.0)}, "yaw"),
        ({TURN.start: math.radians(-14.0)}, "tilt"),
        ({HEIGHT: 0.3}, "altitude"),
        ({FOCAL: 0.25}, "focal_length"),
        ({FOCAL: 0.09}, None),  # as video modes crop
        ({HEIGHT: 0.1, TURN.start: math.radians(3.0), TURN.start + 2: math.radians(5.0)}, None),
    ],
)
def test_what_poses_keep_contradicting_is_doubted(offset: dict[int, float], doubted: str | None) -> None:
    priors, mount, measured = first_uncertainty(NADIR, roll_known=True, yaw_known=True), MountEstimate(), np.zeros(SIZE)
    for at, value in offset.items():
        measured[at] = value
    assert not any(mount.contradicts().values())
    for _ in range(6):
        mount = taught(mount, priors, measured, np.eye(3)[CONSTANT])
    said = [name for name, holds in mount.contradicts().items() if holds]
    assert said == ([] if doubted is None else [doubted])


def test_an_estimate_outlives_being_written() -> None:
    priors = first_uncertainty(NADIR, roll_known=True, yaw_known=True)
    learnt = taught(MountEstimate(), priors, np.full(SIZE, 0.02), np.array([0.2, 0.79, 0.01]))
    for before in (MountEstimate(), learnt):
        after = MountEstimate.from_json(json.loads(json.dumps(before.to_json())))
        assert after.focal_scale == before.focal_scale == math.exp(before.mean[FOCAL])
        assert [one.cov is None for one in after.accounts] == [one.cov is None for one in before.accounts]
        assert (after.frame_cov(priors) == before.frame_cov(priors)).all(), "to the last bit"
    kept = learnt.to_json()["accounts"]
    for broken in ([], kept[:2], [{**kept[0], "cov": [[1.0]]}, *kept[1:]], [{**kept[0], "weight": 0.9}, *kept[1:]]):
        with pytest.raises(ValueError, match=r"reshape|weigh"):
            MountEstimate.from_json({"accounts": broken})
    with pytest.raises(KeyError):
        MountEstimate.from_json({"mean": [0.0, 0.0, 0.0, 0.0]})


def test_a_lens_that_was_measured_is_held_on_to() -> None:
    nominal, measured = (
        first_uncertainty(NADIR, roll_known=True, yaw_known=True, focal_sigma=sigma) for sigma in (None, 0.005)
    )
    for told, known in zip(nominal, measured, strict=True):
        assert np.sqrt(told.mount[FOCAL, FOCAL]) == pytest.approx(MOUNT.first[FOCAL])
        assert np.sqrt(known.mount[FOCAL, FOCAL] + known.frame[FOCAL, FOCAL]) < 0.01
        assert np.delete(known.mount.ravel(), FOCAL * (SIZE + 1)) == pytest.approx(
            np.delete(told.mount.ravel(), FOCAL * (SIZE + 1))
        )


def test_ground_slopes_less_where_no_gimbal_holds_the_camera_and_not_at_all_where_heights_are_known() -> None:
    held, hung = (first_uncertainty(NADIR, roll_known=known, yaw_known=True) for known in (True, False))
    assert [math.degrees(one.slope_rad) for one in held] == pytest.approx([one.slope_deg for one in ACCOUNTS])
    assert [math.degrees(one.slope_rad) for one in hung] == pytest.approx([MOUNT.unknown_roll_slope_deg] * 3)
    sloping, known = (held[TOLD].bent(0.01, slopes=slopes).frame[BEND, BEND] for slopes in (True, False))
    assert sloping - known == pytest.approx(held[TOLD].slope_rad ** 2 * np.eye(2))
    assert known - held[TOLD].frame[BEND, BEND] == pytest.approx(0.01**2 * np.eye(2))
