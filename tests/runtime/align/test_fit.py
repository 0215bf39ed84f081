"""One vector for a map: found among residuals that agree on one, refused among those that do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.align.fit import fit_alignment, keep_one_heading
from runtime.align.residuals import Residual, residuals_of
from runtime.errors import FlightError
from runtime.fix import Fix
from runtime.flights.truth import Truth
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon

PLACE = LatLon(47.5, 8.2)
YAWS_DEG = tuple(np.linspace(0.0, 345.0, 24).tolist())


def scattered(
    east_m: float, north_m: float, sigma_m: float = 1.0, *, flight: str = "a", seed: int = 0
) -> list[Residual]:
    noise = np.random.default_rng(seed).normal(0.0, sigma_m, (len(YAWS_DEG), 2))
    return [
        Residual(flight, east_m + east, north_m + north, yaw)
        for (east, north), yaw in zip(noise.tolist(), YAWS_DEG, strict=True)
    ]


def test_the_shift_of_a_map_is_found_among_fixes_that_scatter_and_some_that_are_wrong() -> None:
    alignment, ce90_m = fit_alignment([*scattered(5.0, -6.0), Residual("a", 80.0, 200.0, 10.0)])
    assert (alignment.east_m, alignment.north_m) == pytest.approx((5.0, -6.0), abs=0.6)
    assert (alignment.frames, alignment.flights) == (25, ("a",))
    assert ce90_m == pytest.approx(2.15, abs=0.7), "a circle that holds 90% of a sigma of 1 m"


def turning(ahead_m: float) -> list[Residual]:
    """What a camera that leans ahead leaves, whichever way it heads."""
    return [
        Residual("a", ahead_m * math.sin(math.radians(yaw)), ahead_m * math.cos(math.radians(yaw)), yaw)
        for yaw in YAWS_DEG
    ]


@pytest.mark.parametrize(
    ("residuals", "told"),
    [
        (scattered(5.0, 5.0)[:11], "11 frames were registered"),
        (scattered(1.0, 0.0, 8.0), "fit no one vector"),
        (turning(7.0), "turn with the heading"),
        ([*scattered(5.0, 0.0), *scattered(-3.0, 0.0, flight="b")], "disagree by 8"),
    ],
)
def test_residuals_that_fit_no_one_vector_are_refused(residuals: list[Residual], told: str) -> None:
    with pytest.raises(FlightError, match=told):
        fit_alignment(residuals)


def test_a_flight_of_one_heading_cannot_tell_a_map_that_is_off_from_a_camera_that_leans() -> None:
    assert keep_one_heading([Residual("a", 5.0, 0.0, yaw) for yaw in (350.0, 10.0, 30.0)])
    assert not keep_one_heading([Residual("a", 5.0, 0.0, yaw) for yaw in (10.0, 190.0)])


def fix(t_us: int, place: LatLon, *, source: str = "registration") -> Fix:
    return Fix(t_us, place.lat, place.lon, None, None, None, 30.0, (1.0, 0.0, 1.0), source, 0.0, 80, 1.0)  # type: ignore[arg-type]


def test_only_registered_fixes_with_a_verified_truth_are_compared() -> None:
    true = LocalFrame(PLACE).to_latlon(3.0, 4.0)
    truth = {t_us: Truth(true, None, verified=t_us != 2) for t_us in (1, 2, 3)}
    fixes = [fix(1, PLACE), fix(2, PLACE), fix(3, PLACE, source="retrieval"), fix(4, PLACE)]
    (one,) = residuals_of("a", fixes, truth)
    assert (one.east_m, one.north_m) == pytest.approx((3.0, 4.0), abs=1e-3)
    assert one.yaw_deg == 30.0


def test_gnss_that_jumps_aligns_nothing() -> None:
    away = LocalFrame(PLACE).to_latlon(400.0, 0.0)
    truth = {0: Truth(PLACE, None, verified=True), 1_000_000: Truth(away, None, verified=True)}
    with pytest.raises(FlightError, match=r"jumps 400 m in 1.0 s at t_us 1000000"):
        residuals_of("a", [], truth)
