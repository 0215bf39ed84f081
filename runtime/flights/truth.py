"""``truth.csv``: where the drone really was. Scorers and makers of training data read it; nothing that flies does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import FlightError
from runtime.geo.mercator import MAX_LATITUDE_DEG, LatLon
from runtime.table import Row, read_rows

_COLUMNS = ("t_us", "true_lat", "true_lon", "true_ground_lat", "true_ground_lon")


@dataclass(frozen=True, slots=True)
class Truth:
    """Where the drone really was at one frame; None where unknown."""

    drone: LatLon | None
    ground: LatLon | None  # at the picture's centre
    verified: bool


def read_truth(path: Path) -> dict[int, Truth]:
    """Read ``truth.csv`` by exposure time; raises FlightError."""
    return {
        row.whole_number("t_us"): Truth(
            _place(row, "true_lat", "true_lon"),
            _place(row, "true_ground_lat", "true_ground_lon"),
            (row.cells.get("truth_ok") or "1").strip() == "1",
        )
        for row in read_rows(path, _COLUMNS)
    }


def _place(row: Row, lat: str, lon: str) -> LatLon | None:
    place = LatLon(row.number(lat), row.number(lon))
    if math.isnan(place.lat) or math.isnan(place.lon):
        return None
    if not (abs(place.lat) <= MAX_LATITUDE_DEG and abs(place.lon) <= 180.0):
        raise FlightError(f"{row.where}: {lat}, {lon} is {place.lat}, {place.lon}, expected degrees on a Mercator map")
    return place
