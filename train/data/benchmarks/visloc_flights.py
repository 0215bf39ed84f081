"""UAV-VisLoc as it lies on a disk: where each picture of a flight was taken, and which map it belongs to.

Source: Xu et al., UAV-VisLoc, arXiv 2405.11936. ``NN/NN.csv`` has ``filename,lat,lon,height`` and the heading ``Phi1``
(flight 07 has none). ``satellite_coordinates_range.csv`` has the corners of the maps; it is released with a blank in
its name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runtime.errors import DataError
from runtime.geo.mercator import LatLon
from train.data.benchmarks.visloc_map import FlightMap, read_parts

RANGES = ("satellite_coordinates_range.csv", "satellite_ coordinates_range.csv")
_HIGHEST_M, _SPREAD_M = 1000.0, 100.0

CsvRow = Mapping[str, str]


class AerialPhoto(NamedTuple):
    """One drone picture, taken straight down, with its place."""

    path: Path
    place: LatLon  # of the picture's middle
    height_m: float  # above ground, if the table means that
    heading_deg: float | None  # from north clockwise to the picture's top


@dataclass(frozen=True)
class VislocFlight:
    """One numbered flight with its map and its pictures."""

    name: str  # "01"
    map: FlightMap
    photos: Sequence[AerialPhoto]

    @property
    def why_not(self) -> str | None:
        """Why its pictures cannot be laid on the map; None where they can.

        The pictures are published as 0.1 to 0.2 m a pixel, which is under 1000 m: heights far above, or that change
        more than a survey's do, are above the sea and not above the ground.
        """
        heights = [s.height_m for s in self.photos]
        if not self.map.parts:
            return f"satellite{self.name}.tif is missing"
        if any(s.heading_deg is None for s in self.photos):
            return "its table has no heading (Phi1)"
        if not 0 < min(heights) <= max(heights) <= _HIGHEST_M or max(heights) - min(heights) > _SPREAD_M:
            return f"its heights, {min(heights):.0f} to {max(heights):.0f} m, look like above the sea"
        return None


def read_flights(root: Path) -> list[VislocFlight]:
    """Read all flights of a folder; raises DataError."""
    corners = _read_corners(root)
    folders = [p for p in sorted(root.iterdir()) if p.name.isdigit() and (p / f"{p.name}.csv").is_file()]
    if not folders:
        raise DataError(f"{root} has no flights; expected folders as 01, with 01.csv, satellite01.tif and drone in it")
    lost = [folder.name for folder in folders if folder.name not in corners]
    if lost:
        raise DataError(f"{root}: {RANGES[0]} has no line for the map of flight {', '.join(lost)}")
    return [VislocFlight(p.name, FlightMap(read_parts(p), *corners[p.name]), _read_photos(p)) for p in folders]


def find_ranges(root: Path) -> Path | None:
    """Find the table of the maps' corners; None where there is none."""
    return next((root / name for name in RANGES if (root / name).is_file()), None)


def _read_corners(root: Path) -> dict[str, tuple[LatLon, LatLon]]:
    """Read north-west and south-east of each flight's map; raises DataError."""
    path = find_ranges(root)
    if path is None:
        places = (*root.resolve().parents[:2], *(root.glob("*") if root.is_dir() else ()))
        meant = next((p for p in places if find_ranges(p)), None)
        hint = f"; did you mean {meant}?" if meant else ""
        raise DataError(f"{root} is no UAV-VisLoc: expected {RANGES[0]} and flights as 01 in it{hint}")
    corners = {}
    for where, row in _rows(path):
        digits = "".join(c for c in row.get("mapname") or row.get("name") or "" if c.isdigit())
        north, west, south, east = (
            _number(where, row, f"{corner}_map", corner) for corner in ("LT_lat", "LT_lon", "RB_lat", "RB_lon")
        )
        if not (north > south and east > west):
            raise DataError(f"{where}: LT is not north-west of RB")
        corners[digits[:2].zfill(2)] = LatLon(north, west), LatLon(south, east)
    return corners


def _read_photos(folder: Path) -> list[AerialPhoto]:
    """Read the table of a flight's pictures; raises DataError."""
    path, drone = folder / f"{folder.name}.csv", folder / "drone"
    photos = []
    for where, row in _rows(path):
        heading = _number(where, row, "Phi1", "heading") if {"Phi1", "heading"} & row.keys() else None
        lat, lon, height_m = (_number(where, row, column) for column in ("lat", "lon", "height"))
        photos.append(AerialPhoto(drone / (row.get("filename") or "?"), LatLon(lat, lon), height_m, heading))
    there = {p.name for p in drone.iterdir()} if drone.is_dir() else set()
    lost = [s.path for s in photos if s.path.name not in there]
    if lost or not photos:
        first = f", {lost[0]} first" if lost else ""
        raise DataError(f"{path} lists {len(photos)} pictures, of which {len(lost)} are missing{first}")
    return photos


def _rows(path: Path) -> Iterator[tuple[str, CsvRow]]:
    """Yield each row with the place where it stands, for messages."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file, skipinitialspace=True), 2):
            yield f"{path} line {number}", row


def _number(where: str, row: CsvRow, *columns: str) -> float:
    """Parse the number in the first of these columns that has one; raises DataError."""
    text = next((row[column] for column in columns if row.get(column)), "")
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{where}: {' or '.join(columns)} is {text!r}; expected a number") from None
