"""What a flight learns of its camera's mount, against a plain Kalman filter on the same measurements."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.geo.camera import Attitude, axis_ground
from runtime.locate import mount as mounts
from runtime.locate.mount import MountEstimate, first_uncertainty, is_plausible

DRIFT, JITTER = np.diag(mounts._DRIFT**2), np.diag(mounts._JITTER**2)
NADIR = Attitude(0, -90, 30).enu_from_camera()


def test_learning_from_poses_is_a_kalman_filter_on_what_they_measured() -> None:
    """A pose is prior and measurement in one; the estimate must not count the prior twice."""
    rng = np.random.default_rng(0)
    first = first_uncertainty(NADIR, roll_known=True, yaw_sigma_deg=10.0)
    noise = np.diag([0.02, 0.02, 0.02, 0.02]) ** 2
    mount, mean, cov = MountEstimate(), np.zeros(4), first
    for _ in range(6):
        measured = rng.normal(0, 0.05, 4)  # beyond what is corrected already
        before = cov + DRIFT
        frame = before + JITTER
        weight = frame @ np.linalg.inv(frame + noise)
        mount.learn(first, weight @ measured, frame - weight @ frame)
        gain = before @ np.linalg.inv(before + JITTER + noise)
        mean, cov = mean + gain @ measured, before - gain @ before
        assert mount._mean == pytest.approx(mean)
        assert mount.frame_cov(first) == pytest.approx(cov + JITTER)


def test_a_steady_mount_is_found_and_taken_out() -> None:
    """Eight degrees forward, three per cent high: what the fengyuan flight has."""
    first = first_uncertainty(NADIR, roll_known=True, yaw_sigma_deg=10.0)
    truth = np.array([0.03, math.radians(8.0), 0.0, 0.0])
    mount = MountEstimate()
    for _ in range(15):
        prior = mount.frame_cov(first)
        weight = prior @ np.linalg.inv(prior + np.eye(4) * 0.01**2)
        mount.learn(first, weight @ (truth - mount._mean), prior - weight @ prior)
    rotation, height_m = mount.correct(NADIR, 100.0)
    ahead = axis_ground(rotation, height_m)
    assert height_m == pytest.approx(103.0, abs=0.5)
    assert ahead is not None
    assert np.hypot(*ahead) == pytest.approx(103.0 * math.tan(math.radians(8.0)), abs=1.0)
    assert np.degrees(math.atan2(ahead[0], ahead[1])) == pytest.approx(30.0, abs=2.0), "forward is where the top is"
    left = np.sqrt(np.diag(mount.frame_cov(first)))
    assert (left < np.sqrt(np.diag(first + JITTER))).all()
    assert (left >= np.sqrt(np.diag(JITTER))).all()


@pytest.mark.parametrize("attitude", [Attitude(0, -90, 0), Attitude(5, -45, 200), Attitude(0, -60, 90)])
def test_an_unknown_heading_is_a_turn_about_the_vertical(attitude: Attitude) -> None:
    rotation = attitude.enu_from_camera()
    sure, unsure = (first_uncertainty(rotation, roll_known=True, yaw_sigma_deg=s)[1:, 1:] for s in (1.0, 25.0))
    values, axes = np.linalg.eigh(unsure - sure)
    assert values == pytest.approx([0, 0, math.radians(25) ** 2 - math.radians(1) ** 2], abs=1e-9)
    assert abs(rotation @ axes[:, 2]) == pytest.approx([0, 0, 1], abs=1e-9)
    assert np.linalg.eigvalsh(first_uncertainty(rotation, roll_known=False, yaw_sigma_deg=5.0))[0] > 0


@pytest.mark.parametrize(
    ("scale", "turn_deg", "at_first", "later"),
    [
        (1.0, 0.0, True, True),
        (1.2, 14.0, True, False),  # too high by a fifth and a compass off: so flights begin, and do not go on
        (1.0, 22.0, True, False),
        (1.5, 0.0, False, False),
        (0.95, -4.0, True, True),
        (float("nan"), 0.0, False, False),
    ],
)
def test_a_fit_must_be_plausible_and_more_so_when_the_mount_is_known(
    scale: float, turn_deg: float, at_first: bool, later: bool
) -> None:
    first = first_uncertainty(NADIR, roll_known=True, yaw_sigma_deg=10.0)
    known = JITTER + np.eye(4) * 0.01**2
    assert is_plausible(NADIR, first + JITTER, scale=scale, turn_deg=turn_deg) is at_first
    assert is_plausible(NADIR, known, scale=scale, turn_deg=turn_deg) is later
