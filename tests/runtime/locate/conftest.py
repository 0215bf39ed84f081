"""What several tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.camera import Attitude, axis_ground
from runtime.geo.rectify import View
from runtime.locate.features import LocalFeatures
from runtime.model.bundle import Bundle
from tests.runtime.locate.drawn import Scene


@pytest.fixture(scope="module", params=["own", "xfeat"])
def features(request: pytest.FixtureRequest, default_bundle: Path) -> LocalFeatures:
    """The encoder's own, and XFeat, which may stand in for them."""
    if request.param == "own":
        return LocalFeatures(Bundle.open(default_bundle), threads=2)
    return LocalFeatures(Bundle.open(request.getfixturevalue("matcher"), "matcher"), threads=2)


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
