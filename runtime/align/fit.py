"""One vector for all of a map, from where flights found themselves and where GNSS had them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from runtime.align.residuals import Residual
from runtime.errors import FlightError
from runtime.tiles.metadata import Alignment
from runtime.types import FloatArray

MIN_FRAMES = 12
_SCATTER_M = 3.0  # about the vector, of fixes that are good: half of them lie nearer
_SCATTER_SHARE = 0.6  # of the vector's length, where that is more
_APART_M = 4.0  # between the vectors of two flights
_LEAST_CE90_M = 0.5
_TURNING_DEG = 60.0  # of headings, before it can be told whether residuals turn with them


def fit_alignment(residuals: Sequence[Residual]) -> tuple[Alignment, float]:
    """Return the shift that residuals agree on, and within how many metres of it 90% of them lie.

    Medians, so that some wrong fixes do not count. Raises FlightError where they fit no one vector: too few, scattered,
    flights that disagree, or residuals that turn with the heading, which are the camera's and not the map's.
    """
    if len(residuals) < MIN_FRAMES:
        raise FlightError(
            f"{len(residuals)} frames were registered and have a verified truth, expected {MIN_FRAMES} or more; "
            "fly more of the map, or give more flights: --flight FLIGHT --flight FLIGHT"
        )
    away = np.array([(one.east_m, one.north_m) for one in residuals])
    shift = np.median(away, axis=0)
    off_m = np.hypot(*(away - shift).T)
    _check_heading(away, np.radians([one.yaw_deg for one in residuals]), float(np.median(off_m)))
    _check_flights(residuals, away)
    length_m, scatter_m = math.hypot(*shift), float(np.median(off_m))
    if scatter_m > max(_SCATTER_M, _SCATTER_SHARE * length_m):
        raise FlightError(
            f"the residuals fit no one vector: half of them lie more than {scatter_m:.1f} m from their middle, "
            f"{length_m:.1f} m long; is truth.csv the drone's place, in time with the frames?"
        )
    flights = tuple(dict.fromkeys(one.flight for one in residuals))
    ce90_m = max(float(np.quantile(off_m, 0.9)), _LEAST_CE90_M)
    east_m, north_m = (round(float(v), 2) for v in shift)
    return Alignment(east_m, north_m, len(residuals), flights), round(ce90_m, 2)


def _check_heading(away: FloatArray, yaw: FloatArray, scatter_m: float) -> None:
    """Raise FlightError where residuals are one vector in the camera's frame rather than in the world's."""
    if not _turns(yaw):
        return
    cos, sin = np.cos(yaw), np.sin(yaw)
    body = np.column_stack([away[:, 0] * sin + away[:, 1] * cos, away[:, 0] * cos - away[:, 1] * sin])
    ahead_m, right_m = np.median(body, axis=0).tolist()
    turning_m = float(np.median(np.hypot(*(body - (ahead_m, right_m)).T)))
    if turning_m < scatter_m and math.hypot(ahead_m, right_m) > turning_m:
        raise FlightError(
            f"the residuals turn with the heading ({ahead_m:.1f} m ahead, {right_m:.1f} m to the right): that is the "
            "camera's mount or lens, and no map is moved by it; see camera_found in the report of a replay"
        )


def keep_one_heading(residuals: Sequence[Residual]) -> bool:
    """Tell whether a camera that leans would leave the same residuals as a map that is off."""
    return not _turns(np.radians([one.yaw_deg for one in residuals]))


def _turns(yaw: FloatArray) -> bool:
    apart = np.abs(np.angle(np.exp(1j * (yaw[:, None] - yaw))))
    return bool(apart.max() >= math.radians(_TURNING_DEG))


def _check_flights(residuals: Sequence[Residual], away: FloatArray) -> None:
    """Raise FlightError where flights disagree."""
    names = np.array([one.flight for one in residuals])
    each = {str(name): np.median(away[names == name], axis=0) for name in dict.fromkeys(names.tolist())}
    first, *others = each
    for other in others:
        apart_m = math.dist(each[first], each[other])
        if apart_m > _APART_M:
            raise FlightError(
                f"{first} and {other} disagree by {apart_m:.1f} m on where the map lies; which one has GNSS that is "
                "right? align with that one alone"
            )
