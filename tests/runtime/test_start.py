"""A start position as people give it, on a command line and in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import SettingsError
from runtime.geo.mercator import LatLon
from runtime.start import Start, check_start_on_map, keep_option_value, parse_start

MAP_DEG = (8.0, 47.0, 8.1, 47.1)  # west, south, east, north


@given(st.floats(-85, 85), st.floats(-180, 180), st.floats(0.5, 9e5))
def test_a_start_is_read_as_it_is_written(lat: float, lon: float, radius_m: float) -> None:
    assert parse_start(f"{lat!r},{lon!r},{radius_m!r}", "--start", "") == Start(LatLon(lat, lon), radius_m)


@pytest.mark.parametrize("text", ["", "47.5", "47.5,8.2", "47.5,8.2,300,1", "47.5;8.2;300", "north,8.2,300"])
def test_what_is_no_start_is_told_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="expected LAT,LON,RADIUS_M like 47,8,300"):
        parse_start(text, "--start", "47,8,300")


@pytest.mark.parametrize("text", ["91,8,300", "47,181,300", "47,8,0", "47,8,-5", "nan,8,300", "47,8,nan", "47,8,inf"])
def test_a_place_that_is_none_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="expected degrees and a radius above 0"):
        parse_start(text, "--start", "47,8,300")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["f", "--start", "-16.8,179.9,40"], ["f", "--start=-16.8,179.9,40"]),
        (["--start=-16.8,179.9,40"], ["--start=-16.8,179.9,40"]),
        (["f", "--start"], ["f", "--start"]),  # argparse itself says what is missing
        (["f"], ["f"]),
    ],
)
def test_a_southern_place_is_not_taken_for_an_option(words: list[str], kept: list[str]) -> None:
    assert keep_option_value(words, "--start") == kept


@pytest.mark.parametrize(
    ("place", "radius_m", "reaches"),
    [
        (LatLon(47.05, 8.05), 1.0, True),
        (LatLon(46.99, 8.05), 1200.0, True),  # 1,112 m south of it
        (LatLon(46.99, 8.05), 1000.0, False),
        (LatLon(-47.05, 8.05), 5e5, False),
    ],
)
def test_a_start_must_reach_the_map(place: LatLon, radius_m: float, reaches: bool) -> None:
    if reaches:
        check_start_on_map(Start(place, radius_m), MAP_DEG, Path("a.tiles"))
    else:
        with pytest.raises(SettingsError, match=r"km off the map of a\.tiles, whose middle is 47\.0500,8\.0500"):
            check_start_on_map(Start(place, radius_m), MAP_DEG, Path("a.tiles"))
