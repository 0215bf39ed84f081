"""Where a flight begins, as an operator says it: a place and a radius about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from runtime.errors import SettingsError
from runtime.geo.local import off_box_m
from runtime.geo.mercator import MAX_LATITUDE_DEG, LatLon


class Start(NamedTuple):
    """A place near which the drone is at the beginning."""

    place: LatLon
    radius_m: float


def checked_start(lat: float, lon: float, radius_m: float, what: str) -> Start:
    """Make a start of three numbers; raises SettingsError naming ``what`` where they cannot be one."""
    if not (abs(lat) <= MAX_LATITUDE_DEG and abs(lon) <= 180.0 and 0.0 < radius_m < 1e6):
        raise SettingsError(
            f"{what} is lat {lat}, lon {lon}, radius {radius_m} m: expected degrees and a radius above 0, all three"
        )
    return Start(LatLon(lat, lon), radius_m)


def parse_start(text: str, option: str, example: str) -> Start:
    """Read ``LAT,LON,RADIUS_M`` from a command line; raises SettingsError."""
    try:
        lat, lon, radius_m = (float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"{option} is {text!r}, expected LAT,LON,RADIUS_M like {example}") from None
    return checked_start(lat, lon, radius_m, option)


def check_start_on_map(start: Start | None, bounds_deg: Sequence[float], tiles: Path) -> None:
    """Raise SettingsError where no place within the start's radius lies on the map (west, south, east, north)."""
    if start is None:
        return
    off_m = off_box_m(start.place, bounds_deg)
    if off_m <= start.radius_m:
        return
    west, south, east, north = bounds_deg
    raise SettingsError(
        f"the start {start.place.lat:g},{start.place.lon:g} lies {off_m / 1e3:,.1f} km off the map of {tiles}, whose "
        f"middle is {(south + north) / 2:.4f},{(west + east) / 2:.4f}, and its radius is {start.radius_m:g} m: give "
        "the map that is flown over, or a radius that reaches it"
    )


def keep_option_value(argv: Sequence[str] | None, option: str) -> list[str]:
    """Join an option with its value in a command line: argparse takes ``-16.8,179.9,40`` for an option."""
    words = list(sys.argv[1:] if argv is None else argv)
    if option in words[:-1]:
        at = words.index(option)
        words[at : at + 2] = [f"{option}={words[at + 1]}"]
    return words
