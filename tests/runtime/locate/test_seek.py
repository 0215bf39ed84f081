"""Where a frame is looked for, and how sure its registration is. The encoder, a stand-in, names what it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.flights.flight import Flight
from runtime.frame import Frame
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.belief import Belief
from runtime.locate.belief_limits import BELIEF, POSTERIOR
from runtime.locate.candidates import Found, TileView
from runtime.locate.features import LocalFeatures
from runtime.locate.ground_view import ground_views
from runtime.locate.limits import Limits
from runtime.locate.mount import MountEstimate
from runtime.locate.placement import Placement
from runtime.locate.posterior import Evidence, Posterior
from runtime.locate.registration import Registrar
from runtime.locate.retrieve import Candidate, Likeness
from runtime.locate.seek import Seeker, Sight
from runtime.locate.stages import Stages
from runtime.locate.track import Track
from runtime.locate.verify import RegisteredView, Verifier
from runtime.model.bundle import Bundle
from runtime.tiles.cache import TileCache
from runtime.types import FloatArray

FOOTPRINT_M, AREA_M2, AGREEMENT = 64.0, 4e6, 0.175
ELSEWHERE = np.array([300.0, 0.0])  # metres from the drone
STRONG, COUNTING = POSTERIOR.strong_outlier_share, POSTERIOR.counting_outlier_share
AGREEING, WEAK = POSTERIOR.agreeing_outlier_share, BELIEF.weak_outlier_share


class Naming:
    """A finder whose encoder names one place, wherever the frame was taken; ``near`` looks where it is asked to."""

    def __init__(self, named_en_m: FloatArray, looked_at_en_m: FloatArray | None = None) -> None:
        """``looked_at_en_m`` is the drone's place by the one candidate; None: that of the place it names."""
        self.named_en_m = named_en_m
        self.looked_at_en_m = named_en_m if looked_at_en_m is None else looked_at_en_m

    def looks(self, grounds: list[TileView], domain: object) -> list[object]:
        self.axis_en_m = grounds[0].view.axis_en_m
        return []

    def _candidate(self, frame: LocalFrame, drone_en_m: FloatArray, axis_en_m: tuple[float, float]) -> Candidate:
        return Candidate(0, frame.to_latlon(*(drone_en_m + axis_en_m).tolist()), FOOTPRINT_M, 0.0)

    def at(self, frame: LocalFrame, ground: TileView, track: Track) -> Candidate:
        return self._candidate(frame, track.position_en_m, ground.view.axis_en_m)

    def near(self, frame: LocalFrame, grounds: list[TileView], track: Track, looks: object) -> list[Candidate]:
        return [self.at(frame, grounds[0], track)]

    def anywhere(self, frame: LocalFrame, looks: object, posterior: object, *, t_us: int, **_: Any) -> Found:
        evidence = Evidence(t_us, self.named_en_m[None], np.array([0.9]), np.eye(2) * 400.0, 0.2)
        candidate = self._candidate(frame, self.looked_at_en_m, self.axis_en_m)
        return Found([candidate], 9.0, evidence, named(self.named_en_m, 0.9))


def named(place_en_m: FloatArray, probability: float) -> Likeness:
    """The encoder's word: one place, and another a kilometre away that has the rest."""
    places = np.array([place_en_m, place_en_m + 1000.0])
    return Likeness(
        places, places, np.array([probability, 1.0 - probability]), np.zeros(2, int), FOOTPRINT_M, 32.0, 0.7
    )


@pytest.fixture(scope="module")
def verifier(toy_tiles: Path, default_bundle: Path) -> Verifier:
    imagery = TileCache.open(toy_tiles).open_imagery()
    registrar = Registrar(imagery, LocalFeatures(Bundle.open(default_bundle), threads=2))
    return Verifier(registrar, Limits(), lat=imagery.bounds.centre.lat, floor_m=0.5, stages=Stages())


@pytest.fixture
def sight(verifier: Verifier, flight: Flight, frames: list[Frame], drones: dict[int, LatLon]) -> Sight:
    """The first frame, in metres from where the drone truly was."""
    view = ground_views(frames[0], flight.camera, MountEstimate())[0]
    local = LocalFrame(drones[frames[0].t_us])
    return Sight(frames[0], local, [verifier.keypoints(view)], [TileView(0, view, 0)], MountEstimate())


def seeker(verifier: Verifier, named_en_m: FloatArray) -> Seeker:
    return Seeker(Naming(named_en_m), verifier, Limits(), (AGREEMENT, AGREEMENT))  # type: ignore[arg-type]


def believed(place_en_m: FloatArray, sigma_m: float, **rests_on: Any) -> Belief:
    """One place, wider than what tracking vouches for."""
    one = Placement(Track.at(0, place_en_m, np.eye(2) * sigma_m**2), 0.995, anchored_us=0, **rests_on)
    return Belief(Posterior(AREA_M2, (one,), 0.005))


@pytest.mark.parametrize("rests_on", [{"agreed": 2}, {"agreed": 1}, {"retired": True}])
def test_a_place_that_registrations_led_to_is_looked_at_whatever_the_encoder_names(
    verifier: Verifier, sight: Sight, rests_on: dict[str, Any]
) -> None:
    found = seeker(verifier, ELSEWHERE).seek(believed(np.array([10.0, -8.0]), 50.0, **rests_on), sight).found
    assert isinstance(found, RegisteredView)
    assert np.hypot(*found.position(sight.local)) < 5.0


@pytest.mark.parametrize(
    "belief",
    [
        Belief(Posterior(AREA_M2)),
        believed(np.array([10.0, -8.0]), 50.0),  # no registration led there
        believed(np.array([10.0, -8.0]), 2 * BELIEF.looked_at_sigma_m, agreed=2),
        believed(ELSEWHERE, 50.0, agreed=2),
    ],
    ids=["nothing known", "retrieval alone", "too wide", "led elsewhere"],
)
def test_else_it_is_looked_for_where_the_encoder_says(verifier: Verifier, sight: Sight, belief: Belief) -> None:
    assert isinstance(seeker(verifier, ELSEWHERE).seek(belief, sight).found, str)


def test_what_the_encoder_sees_elsewhere_is_ambiguous_unless_registrations_led_near_by(
    verifier: Verifier, sight: Sight
) -> None:
    doubting = Seeker(Naming(ELSEWHERE, np.zeros(2)), verifier, Limits(), (AGREEMENT, AGREEMENT))  # type: ignore[arg-type]
    assert doubting.seek(Belief(Posterior(AREA_M2)), sight).found == "ambiguous"
    far = np.array([1.2 * FOOTPRINT_M, 0.0])
    assert doubting.seek(believed(far, 90.0, agreed=2), sight).found == "ambiguous", "a street further on"
    assert isinstance(doubting.seek(believed(far / 2, 90.0, agreed=2), sight).found, RegisteredView)


@pytest.mark.parametrize(
    ("support", "agreement", "probability", "settled", "share"),
    [
        (40, 0.40, 0.9, True, STRONG),
        (40, 0.40, 0.9, False, WEAK),  # whose attitude is not borne out
        (40, 0.40, 0.3, True, COUNTING),  # the encoder names another place, the fit is good
        (40, 0.18, 0.9, True, AGREEING),  # weak, where the encoder names it
        (12, 0.40, 0.9, True, AGREEING),
        (40, 0.18, 0.3, True, WEAK),
        (40, 0.18, 0.9, False, WEAK),
        (12, 0.40, 0.3, True, WEAK),
    ],
)
def test_a_registration_is_as_sure_as_its_fit_and_the_encoder_are_together(
    verifier: Verifier,
    sight: Sight,
    *,
    support: int,
    agreement: float,
    probability: float,
    settled: bool,
    share: float,
) -> None:
    found = seeker(verifier, np.zeros(2)).seek(believed(np.zeros(2), 50.0, agreed=2), sight).found
    assert isinstance(found, RegisteredView)
    registration = replace(found.registration, support=support)
    level = replace(found.pose, offset=np.zeros(7))
    made = replace(found, registration=registration, pose=level, agreement=agreement, settled=settled)
    here = made.position(sight.local)
    assert seeker(verifier, np.zeros(2)).outlier_share(made, here, named(here, probability)) == share


@pytest.mark.parametrize(("agreement", "share"), [(0.40, STRONG), (0.30, WEAK), (0.18, WEAK)])
def test_after_a_frame_that_looked_elsewhere_few_points_that_agree_with_what_is_told_count_for_nothing(
    verifier: Verifier, sight: Sight, agreement: float, share: float
) -> None:
    found = seeker(verifier, np.zeros(2)).seek(believed(np.zeros(2), 50.0, agreed=2), sight).found
    assert isinstance(found, RegisteredView)
    made = replace(found, registration=replace(found.registration, support=40), agreement=agreement, settled=True)
    here = made.position(sight.local)
    one = seeker(verifier, np.zeros(2))
    assert one.outlier_share(made, here, named(here, 0.9), 0.02, tilt_doubted=True) == share
    assert one.outlier_share(made, here, named(here, 0.9), 0.02) != WEAK
