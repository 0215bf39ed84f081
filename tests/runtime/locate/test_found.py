"""What a flight says of its camera, in words and numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.locate.found import camera_found
from runtime.locate.mount import Account, MountEstimate
from runtime.locate.offset import SIZE


def taught(mean: list[float], sigma: list[float]) -> MountEstimate:
    """One account that is sure of an offset: log height, rotation vector, log focal length, bend."""
    known = Account(1.0, np.array(mean), np.diag(np.square(sigma)))
    return MountEstimate((known, Account(0.0, np.zeros(SIZE)), Account(0.0, np.zeros(SIZE))))


def test_before_a_frame_has_taught_anything_nothing_is_known() -> None:
    assert camera_found(MountEstimate()) is None


def test_what_is_surely_wrong_is_said_with_its_uncertainty() -> None:
    mean = [-0.05, math.radians(-1.1), 0.0, 0.0, math.log(1.064), 0.0, 0.0]
    found = camera_found(taught(mean, [0.04, math.radians(0.3), 0.01, 0.01, 0.008, 0.01, 0.01]))
    assert found is not None
    assert str(found) == (
        "focal length 6.4 +- 0.8% longer than camera.yaml; the camera looks 1.1 +- 0.3 degrees further down than told"
    )
    assert found.to_json()["height_percent"] == {"value": pytest.approx(-4.88), "sigma": 4.0}
    assert found.tells_focal_length


def test_a_flight_that_contradicts_nothing_says_so_and_one_straight_down_tells_no_focal_length() -> None:
    found = camera_found(taught([0.0] * SIZE, [0.05, 0.01, 0.01, 0.01, 0.06, 0.01, 0.01]))
    assert found is not None
    assert str(found) == "nothing that is surely wrong"
    assert not found.tells_focal_length
