"""The way between two frames of the generated world, by the ground that both show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.flights.flight import Flight
from runtime.frame import Frame
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.features import LocalFeatures
from runtime.locate.flow import Flow
from runtime.locate.ground_view import GroundView, ground_views
from runtime.locate.mount import MountEstimate
from runtime.locate.registration import FramePoints, Registrar
from runtime.model.bundle import Bundle
from runtime.tiles.cache import TileCache

Seen = list[tuple[int, GroundView, FramePoints, LatLon]]


@pytest.fixture(scope="module")
def seen(toy_tiles: Path, default_bundle: Path, flight: Flight, frames: list[Frame], drones: dict[int, LatLon]) -> Seen:
    """Every frame with its keypoints and the true place of its drone."""
    imagery = TileCache.open(toy_tiles).open_imagery()
    registrar = Registrar(imagery, LocalFeatures(Bundle.open(default_bundle), threads=2))
    found = []
    for frame in frames:
        (view,) = ground_views(frame, flight.camera, MountEstimate())
        points = registrar.points(view, view.middle_en_m, view.side_m, lat=imagery.bounds.centre.lat)
        found.append((frame.t_us, view, points, drones[frame.t_us]))
    return found


def test_shifts_are_those_of_the_true_track_within_what_they_claim(seen: Seen) -> None:
    flow, mount = Flow(), MountEstimate()
    told, last_us = 0, None
    place = None
    for t_us, view, points, drone in seen:
        shift = flow.since(last_us, t_us, view, points, mount)
        if shift is not None and place is not None:
            true = np.array(LocalFrame(place).to_en(drone))
            off = shift.en_m - true
            assert off @ np.linalg.solve(shift.cov_m2, off) < 9.21, "99% of a Gaussian"
            told += 1
        last_us, place = t_us, drone
    assert told >= 2, "neighbouring frames of the small flight overlap"


def test_a_frame_that_was_left_out_between_breaks_the_way(seen: Seen) -> None:
    flow, mount = Flow(), MountEstimate()
    (first_us, view, points, _), (t_us, later, later_points, _) = seen[:2]
    assert flow.since(None, first_us, view, points, mount) is None, "the first frame has none before it"
    assert flow.since(first_us - 1, t_us, later, later_points, mount) is None
    flow.forget()
    assert flow.since(t_us, t_us + 1, view, points, mount) is None


def test_the_same_ground_is_no_way_and_other_ground_tells_nothing(seen: Seen) -> None:
    flow, mount = Flow(), MountEstimate()
    t_us, view, points, _ = seen[0]
    flow.since(None, t_us, view, points, mount)
    still = flow.since(t_us, t_us + 1, view, points, mount)
    assert still is not None
    assert np.abs(still.en_m).max() < 0.1
    far = max(seen, key=lambda one: np.hypot(*LocalFrame(seen[0][3]).to_en(one[3])))
    turned = FramePoints(
        far[2].keypoints, far[2].patch, far[2].pixel, far[2].ground_en_m[::-1].copy(), far[2].rung
    )  # its descriptors stand at other places
    assert flow.since(t_us + 1, t_us + 2, far[1], turned, mount) is None
