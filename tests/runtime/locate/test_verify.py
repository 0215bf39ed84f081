"""Registered at a candidate, the pose borne out; or the reason why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.flights.flight import Flight
from runtime.frame import Frame
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.features import LocalFeatures
from runtime.locate.ground_view import GroundView, ground_views
from runtime.locate.limits import REGISTRATION, Limits
from runtime.locate.mount import MountEstimate
from runtime.locate.offset import TURN
from runtime.locate.pose import rotation_from_vector
from runtime.locate.registration import Registrar
from runtime.locate.retrieve import Candidate
from runtime.locate.stages import Stages
from runtime.locate.verify import RegisteredView, Verifier
from runtime.model.bundle import Bundle
from runtime.tiles.cache import TileCache

FOOTPRINT_M = 64.0


class Counting(Registrar):
    """Remembers in which views keypoints were looked for."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.looked: list[object] = []

    def points(self, view: object, *args: object, **more: object) -> object:  # type: ignore[override]
        self.looked.append(view)
        return super().points(view, *args, **more)  # type: ignore[arg-type]

    def times(self, view: GroundView) -> int:
        return sum(one is view for one in self.looked)


@pytest.fixture(scope="module")
def registrar(toy_tiles: Path, default_bundle: Path) -> Counting:
    imagery = TileCache.open(toy_tiles).open_imagery()
    return Counting(imagery, LocalFeatures(Bundle.open(default_bundle), threads=2))


@pytest.fixture
def verifier(registrar: Counting, toy_tiles: Path) -> Verifier:
    lat = TileCache.open(toy_tiles).open_imagery().bounds.centre.lat
    return Verifier(registrar, Limits(), lat=lat, floor_m=0.5, stages=Stages())


@pytest.fixture(scope="module")
def view(flight: Flight, frames: list[Frame]) -> GroundView:
    return ground_views(frames[0], flight.camera, MountEstimate())[0]


def candidate(view: GroundView, drone: LatLon, off_m: float = 0.0) -> Candidate:
    """The tile where the frame truly looks, or one so far east of it."""
    place = LocalFrame(drone).to_latlon(view.axis_en_m[0] + off_m, view.axis_en_m[1])
    return Candidate(0, place, FOOTPRINT_M, 0.0)


def test_the_drone_is_found_where_it_is(
    verifier: Verifier, view: GroundView, frames: list[Frame], drones: dict[int, LatLon]
) -> None:
    drone = drones[frames[0].t_us]
    places = [candidate(view, drone, off_m) for off_m in (-300.0, 12.0, 300.0)]
    found = verifier.best([verifier.keypoints(view)], places, MountEstimate(), 0.175, alone=True)
    assert isinstance(found, RegisteredView)
    off_m = found.position(LocalFrame(drone))
    assert np.hypot(*off_m) < 5.0
    assert off_m @ np.linalg.solve(found.pose.cov[:2, :2] + np.eye(2), off_m) < 13.8, "99.9% of what it claims"
    ground = found.axis_ground(found.pose)
    assert ground is not None
    assert np.hypot(*np.subtract(LocalFrame(drone).to_en(ground), view.axis_en_m)) < 8.0


def test_elsewhere_there_is_no_match(
    verifier: Verifier, view: GroundView, frames: list[Frame], drones: dict[int, LatLon]
) -> None:
    far = [candidate(view, drones[frames[0].t_us], 5000.0)]
    assert verifier.best([verifier.keypoints(view)], far, MountEstimate(), 0.175, alone=True) == "no_match"
    assert verifier.best([verifier.keypoints(view)], [], MountEstimate(), 0.175, alone=True) == "no_match"


def test_a_pose_that_too_few_points_bear_out_is_no_match(
    verifier: Verifier, view: GroundView, frames: list[Frame], drones: dict[int, LatLon]
) -> None:
    here = [candidate(view, drones[frames[0].t_us])]
    assert verifier.best([verifier.keypoints(view)], here, MountEstimate(), 1.01, alone=False) == "no_match"


def test_a_fit_that_has_a_rival_is_ambiguous(
    registrar: Counting, toy_tiles: Path, view: GroundView, frames: list[Frame], drones: dict[int, LatLon]
) -> None:
    lat = TileCache.open(toy_tiles).open_imagery().bounds.centre.lat
    wary = Verifier(registrar, replace(Limits(), max_rival=-1.0), lat=lat, floor_m=0.5, stages=Stages())
    here = [candidate(view, drones[frames[0].t_us])]
    assert wary.best([wary.keypoints(view)], here, MountEstimate(), 0.175, alone=False) == "ambiguous"


def test_a_candidate_is_registered_under_its_own_heading(
    verifier: Verifier, view: GroundView, flight: Flight, frames: list[Frame], drones: dict[int, LatLon]
) -> None:
    told = frames[0].telemetry
    opposite = replace(frames[0], telemetry=replace(told, cam_yaw_deg=(told.cam_yaw_deg + 180.0) % 360.0))
    (other,) = ground_views(opposite, flight.camera, MountEstimate())
    views, here = [verifier.keypoints(other), verifier.keypoints(view)], candidate(view, drones[frames[0].t_us])
    found = verifier.best(views, [replace(here, view=1)], MountEstimate(), 0.175, alone=False)
    assert isinstance(found, RegisteredView)
    assert found.view is view
    assert verifier.best(views, [replace(here, view=0)], MountEstimate(), 0.175, alone=False) == "no_match"


@pytest.mark.parametrize("off_deg", [-10.0, 0.0, 10.0])
def test_a_second_look_leaves_what_it_bears_out_and_betters_what_it_does_not(
    verifier: Verifier, flight: Flight, frames: list[Frame], drones: dict[int, LatLon], off_deg: float
) -> None:
    """A lone frame is laid out anew by the pose that was found; the offset stays one of what was told."""
    told, drone = frames[2].telemetry, drones[frames[2].t_us]
    wrong = replace(frames[2], telemetry=replace(told, cam_pitch_deg=told.cam_pitch_deg - off_deg))
    (view,) = ground_views(wrong, flight.camera, MountEstimate())
    looks, here = [verifier.keypoints(view)], [candidate(view, drone)]
    first, found = (verifier.best(looks, here, MountEstimate(), 0.175, alone=alone) for alone in (False, True))
    assert isinstance(first, RegisteredView)
    assert isinstance(found, RegisteredView)
    assert found.settled and not first.settled
    assert np.hypot(*found.position(LocalFrame(drone))) < 6.0
    pose = found.pose
    assert np.asarray(view.attitude) @ rotation_from_vector(pose.offset[TURN]) == pytest.approx(pose.rotation, abs=1e-9)
    assert view.alt_agl_m * np.exp(pose.offset[0]) == pytest.approx(pose.height_m)
    still_off_deg = [abs(np.degrees(one.pose.offset[1]) - off_deg) for one in (first, found)]
    assert still_off_deg[1] <= still_off_deg[0] < 6.0, "forward is a turn about the axis to the right"
    turned = first.pose.rotation.T @ pose.rotation
    turned_deg = np.degrees(np.arccos(np.clip((np.trace(turned) - 1) / 2, -1, 1)))
    assert turned_deg < 1e-3 or turned_deg > REGISTRATION.borne_out_deg


def test_keypoints_are_looked_for_once_and_not_before_they_are_asked_for(
    verifier: Verifier, registrar: Counting, view: GroundView, frames: list[Frame], drones: dict[int, LatLon]
) -> None:
    before = registrar.times(view)
    keypoints = verifier.keypoints(view)
    assert registrar.times(view) == before
    assert keypoints.points() is keypoints.points()
    places = [candidate(view, drones[frames[0].t_us], off_m) for off_m in (0.0, 30.0, 60.0)]
    for alone in (True, False):
        verifier.best([keypoints], places, MountEstimate(), 0.175, alone=alone)
    assert registrar.times(view) == before + 1
