"""Where GNSS had the drone, against where the map put it, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runtime.errors import FlightError
from runtime.fix import Fix, Verdict
from runtime.flights.truth import Truth
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.replay.score import MAX_SPEED_MPS

_NOISE_M = 20.0  # of GNSS, between two positions


@dataclass(frozen=True, slots=True)
class Residual:
    """What has to be added to a place of the map to come to where GNSS was, by one fix."""

    flight: str
    east_m: float
    north_m: float
    yaw_deg: float  # where the camera's top, or its axis, points


def residuals_of(name: str, verdicts: Sequence[Verdict], truth: Mapping[int, Truth]) -> list[Residual]:
    """Compare a flight's registered fixes with ``truth.csv``; raises FlightError where that jumps."""
    known = {t_us: one.drone for t_us, one in sorted(truth.items()) if one.verified and one.drone is not None}
    _check_steady(name, known)
    found = []
    for verdict in verdicts:
        place = known.get(verdict.t_us)
        if place is None or not isinstance(verdict, Fix) or verdict.source != "registration":
            continue
        east_m, north_m = LocalFrame(LatLon(verdict.lat, verdict.lon)).to_en(place)
        found.append(Residual(name, east_m, north_m, verdict.yaw_deg or 0.0))
    return found


def _check_steady(name: str, known: Mapping[int, LatLon]) -> None:
    """Raise FlightError where a position is further from the one before than a drone flies."""
    for (before_us, before), (t_us, place) in pairwise(known.items()):
        step_m, seconds = distance_m(before, place), (t_us - before_us) * 1e-6
        if step_m > MAX_SPEED_MPS * seconds + _NOISE_M:
            raise FlightError(
                f"{name}: truth.csv jumps {step_m:.0f} m in {seconds:.1f} s at t_us {t_us}; a map is aligned by GNSS "
                "that is right: leave these rows out, or set their truth_ok to 0"
            )
