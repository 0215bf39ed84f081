"""A start position: where a flight begins, as told by an operator, with a radius."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import SettingsError
from runtime.geo.local import off_box_m
from runtime.geo.mercator import MAX_LATITUDE_DEG, LatLon


def checked_start(lat: float, lon: float, radius_m: float, what: str) -> tuple[LatLon, float]:
    """A start that can be one; raises SettingsError."""
    if not (abs(lat) <= MAX_LATITUDE_DEG and abs(lon) <= 180.0 and 0.0 < radius_m < 1e6):
        raise SettingsError(
            f"{what} is lat {lat}, lon {lon}, radius {radius_m} m: expected degrees and a radius above 0, all three"
        )
    return LatLon(lat, lon), radius_m


def check_start_on_map(start: tuple[LatLon, float] | None, bounds_deg: Sequence[float], tiles: Path) -> None:
    """Raises SettingsError where no place within the start's radius lies on the map (west, south, east, north)."""
    if start is None or off_box_m(start[0], bounds_deg) <= start[1]:
        return
    (lat, lon), radius_m = start
    west, south, east, north = bounds_deg
    raise SettingsError(
        f"the start {lat:g},{lon:g} lies {off_box_m(start[0], bounds_deg) / 1e3:,.1f} km off the map of {tiles}, whose "
        f"middle is {(south + north) / 2:.4f},{(west + east) / 2:.4f}, and its radius is {radius_m:g} m: give the map "
        "that is flown over, or a radius that reaches it"
    )


def keep_option_value(argv: Sequence[str] | None, option: str) -> list[str]:
    """Command-line words in which an option holds on to its value: argparse takes ``-16.8,179.9,40`` for an option."""
    words = list(sys.argv[1:] if argv is None else argv)
    if option in words[:-1]:
        at = words.index(option)
        words[at : at + 2] = [f"{option}={words[at + 1]}"]
    return words
