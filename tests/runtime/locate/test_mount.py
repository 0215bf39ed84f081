"""What a flight learns of its camera's mount, against a plain Kalman filter on the same measurements."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from runtime.geo.camera import Attitude, axis_ground
from runtime.locate.limits import MOUNT
from runtime.locate.mount import MountEstimate, first_uncertainty, is_plausible

DRIFT, JITTER = np.diag(np.square(MOUNT.drift)), np.diag(np.square(MOUNT.jitter))
NADIR = Attitude(0, -90, 30).enu_from_camera()


def test_learning_from_poses_is_a_kalman_filter_on_what_they_measured() -> None:
    """A pose is prior and measurement in one; the estimate must not count the prior twice."""
    rng = np.random.default_rng(0)
    told = first_uncertainty(NADIR, roll_known=True, yaw_known=True)
    first = told.mount
    noise = np.diag([0.02, 0.02, 0.02, 0.02]) ** 2
    mount, mean, cov = MountEstimate(), np.zeros(4), first
    for _ in range(6):
        measured = rng.normal(0, 0.05, 4)  # beyond what is corrected already
        before = cov + DRIFT
        frame = before + JITTER
        weight = frame @ np.linalg.inv(frame + noise)
        mount = mount.learned(told, weight @ measured, frame - weight @ frame)
        gain = before @ np.linalg.inv(before + JITTER + noise)
        mean, cov = mean + gain @ measured, before - gain @ before
        assert mount.mean == pytest.approx(mean)
        assert mount.frame_cov(told) == pytest.approx(cov + JITTER)


def test_a_steady_mount_is_found_and_taken_out() -> None:
    """Eight degrees forward, three per cent high: what the fengyuan flight has."""
    first = first_uncertainty(NADIR, roll_known=True, yaw_known=True)
    truth = np.array([0.03, math.radians(8.0), 0.0, 0.0])
    mount = MountEstimate()
    for _ in range(15):
        prior = mount.frame_cov(first)
        weight = prior @ np.linalg.inv(prior + np.eye(4) * 0.01**2)
        mount = mount.learned(first, weight @ (truth - mount.mean), prior - weight @ prior)
    rotation, height_m = mount.correct(NADIR, 100.0)
    ahead = axis_ground(rotation, height_m)
    assert height_m == pytest.approx(103.0, abs=0.5)
    assert ahead is not None
    assert np.hypot(*ahead) == pytest.approx(103.0 * math.tan(math.radians(8.0)), abs=1.0)
    assert np.degrees(math.atan2(ahead[0], ahead[1])) == pytest.approx(30.0, abs=2.0), "forward is where the top is"
    left = np.sqrt(np.diag(mount.frame_cov(first)))
    assert (left < np.sqrt(np.diag(first.mount + JITTER))).all()
    assert (left >= np.sqrt(np.diag(JITTER))).all()


@pytest.mark.parametrize("attitude", [Attitude(0, -90, 0), Attitude(5, -45, 200), Attitude(0, -60, 90)])
def test_an_unknown_heading_is_a_turn_about_the_vertical(attitude: Attitude) -> None:
    rotation = attitude.enu_from_camera()
    told, supposed = (first_uncertainty(rotation, roll_known=True, yaw_known=known) for known in (True, False))
    for more, less, sigma_deg in (
        (told.mount, supposed.mount, 10.0),  # the same all along the flight
        (supposed.frame, told.frame, MOUNT.headings_apart_deg / math.sqrt(12)),  # another each time
    ):
        values, axes = np.linalg.eigh((more - less)[1:, 1:])
        assert values == pytest.approx([0, 0, math.radians(sigma_deg) ** 2], abs=1e-9)
        assert abs(rotation @ axes[:, 2]) == pytest.approx([0, 0, 1], abs=1e-9)
    assert np.linalg.eigvalsh(first_uncertainty(rotation, roll_known=False, yaw_known=False).mount)[0] > 0


def test_a_supposed_heading_teaches_nothing_of_the_next() -> None:
    """Twelve degrees one way, then twelve the other: a heading that is tried is wrong anew in each frame."""
    told, mount = first_uncertainty(NADIR, roll_known=True, yaw_known=False), MountEstimate()
    for k in range(12):
        prior = mount.frame_cov(told)
        offset = np.array([0.0, 0.0, 0.0, math.radians(12.0) * (-1) ** k]) - mount.mean
        weight = prior @ np.linalg.inv(prior + np.eye(4) * 0.01**2)
        mount = mount.learned(told, weight @ offset, prior - weight @ prior)
        assert abs(mount.mean[3]) < math.radians(3.0)
        assert mount.frame_cov(told)[3, 3] > math.radians(8.0) ** 2


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
    first = first_uncertainty(NADIR, roll_known=True, yaw_known=True)
    known = JITTER + np.eye(4) * 0.01**2
    assert is_plausible(NADIR, first.mount + JITTER, scale=scale, turn_deg=turn_deg) is at_first
    assert is_plausible(NADIR, known, scale=scale, turn_deg=turn_deg) is later


def test_learning_leaves_the_estimate_before_it_as_it_was() -> None:
    told, before = first_uncertainty(NADIR, roll_known=True, yaw_known=True), MountEstimate()
    after = before.learned(told, np.full(4, 0.02), np.eye(4) * 1e-4)
    assert before.cov is None and not before.mean.any()
    assert after.mean.all(), "each of the four was taken in"


def test_an_estimate_outlives_being_written() -> None:
    told = first_uncertainty(NADIR, roll_known=True, yaw_known=True)
    learnt = MountEstimate().learned(told, np.array([0.01, 0.1, -0.02, 0.03]), np.eye(4) * 1e-4)
    for before in (MountEstimate(), learnt):
        after = MountEstimate.from_json(json.loads(json.dumps(before.to_json())))
        assert (after.mean == before.mean).all()
        assert (after.cov is None) is (before.cov is None)
        assert (after.frame_cov(told) == before.frame_cov(told)).all(), "to the last bit"
    with pytest.raises(ValueError, match="reshape"):
        MountEstimate.from_json({**learnt.to_json(), "cov": [[1.0]]})
    with pytest.raises(KeyError):
        MountEstimate.from_json({"mean": [0.0, 0.0, 0.0, 0.0]})
