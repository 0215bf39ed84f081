"""Tables of UAV-VisLoc are read as they were released, and a line that cannot be is told with its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import DataError
from runtime.geo.mercator import LatLon
from tests.train.data.benchmarks import trees
from tests.train.data.benchmarks.conftest import draw_ground
from tests.train.data.benchmarks.trees import DrawnFlight
from train.data.benchmarks.visloc_flights import RANGES, AerialPhoto, VislocFlight, find_ranges, read_flights
from train.data.benchmarks.visloc_map import FlightMap, MapPart

MAP = FlightMap([MapPart(Path("x.tif"), 0, 0, 10, 10)], LatLon(31.0, 120.0), LatLon(30.0, 121.0))


def photo(height_m: float, heading_deg: float | None = 0.0) -> AerialPhoto:
    return AerialPhoto(Path("x.jpg"), LatLon(30.5, 120.5), height_m, heading_deg)


def one_flight(folder: Path) -> Path:
    return trees.visloc(folder, [DrawnFlight("01", [(160, 120, 30.0), (100, 100, -45.0)])], draw_ground)


def test_every_flight_has_its_pictures_places_heights_and_headings(visloc_root: Path) -> None:
    flights = {flight.name: flight for flight in read_flights(visloc_root)}
    assert list(flights) == ["01", "03", "05", "07", "10"]
    first = flights["01"].photos[0]
    assert first.path == visloc_root / "01/drone/01_0001.JPG"
    assert (first.height_m, first.heading_deg) == (120.0, 0.0)
    middle = flights["01"].map.centre
    assert (first.place.lat, first.place.lon) == pytest.approx((middle.lat, middle.lon), abs=1e-5)
    assert flights["07"].photos[0].heading_deg is None


@pytest.mark.parametrize(
    ("photos", "reason"),
    [
        ([photo(120.0), photo(180.0)], None),
        ([photo(120.0, None), photo(120.0)], "its table has no heading"),
        ([photo(1200.0)], "look like above the sea"),
        ([photo(-5.0), photo(20.0)], "look like above the sea"),
        ([photo(100.0), photo(220.0)], "its heights, 100 to 220 m, look like above the sea"),
    ],
)
def test_a_flight_that_cannot_be_laid_on_its_map_says_why(photos: list[AerialPhoto], reason: str | None) -> None:
    why = VislocFlight("01", MAP, photos).why_not
    assert why == reason if reason is None else reason in (why or "")


def test_a_flight_without_a_map_says_so() -> None:
    bare = VislocFlight("09", FlightMap([], LatLon(31.0, 120.0), LatLon(30.0, 121.0)), [photo(120.0)])
    assert bare.why_not == "satellite09.tif is missing"


@pytest.mark.parametrize("name", RANGES)
def test_the_table_of_corners_is_found_with_and_without_its_blank(name: str, tmp_path: Path) -> None:
    root = one_flight(tmp_path)
    released = find_ranges(root)
    assert released is not None
    released.rename(root / name)
    assert find_ranges(root) == root / name
    assert len(read_flights(root)) == 1


def rewritten(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_corners_that_are_turned_round_and_maps_without_a_line_are_told(tmp_path: Path) -> None:
    root = one_flight(tmp_path)
    ranges = find_ranges(root)
    assert ranges is not None
    header, line = ranges.read_text().splitlines()
    name, north, west, south, east, region = line.split(",")
    ranges.write_text("\n".join([header, ",".join([name, south, west, north, east, region])]))
    with pytest.raises(DataError, match="line 2: LT is not north-west of RB"):
        read_flights(root)
    ranges.write_text("\n".join([header, ",".join(["satellite02.tif", north, west, south, east, region])]))
    with pytest.raises(DataError, match="has no line for the map of flight 01"):
        read_flights(root)
    ranges.write_text("\n".join([header, ",".join([name, "high", west, south, east, region])]))
    with pytest.raises(DataError, match=r"line 2: LT_lat_map or LT_lat is 'high'; expected a number"):
        read_flights(root)


def test_a_table_under_other_column_names_is_read_as_well(tmp_path: Path) -> None:
    root = one_flight(tmp_path)
    before = read_flights(root)
    rewritten(root / "01/01.csv", "Phi1", "heading")
    ranges = find_ranges(root)
    assert ranges is not None
    rewritten(ranges, "LT_lat_map,LT_lon_map,RB_lat_map,RB_lon_map", "LT_lat,LT_lon,RB_lat,RB_lon")
    rewritten(ranges, "mapname", "name")
    assert read_flights(root) == before


def test_a_folder_without_flights_is_told_with_what_was_expected(tmp_path: Path) -> None:
    root = one_flight(tmp_path)
    (root / "01/01.csv").unlink()
    with pytest.raises(DataError, match=r"has no flights; expected folders as 01, with 01\.csv"):
        read_flights(root)
    with pytest.raises(DataError, match=r"is no UAV-VisLoc: expected satellite_coordinates_range\.csv"):
        read_flights(tmp_path / "nowhere")
