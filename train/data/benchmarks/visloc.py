"""``visloc:ROOT`` or ``visloc:ROOT#01,02``: fixed-wing flights over their maps (UAV-VisLoc).

The benchmark has no protocol for retrieval. Here flights 03 and 04 (one city) are the test, flight 10 is ``val`` and
the others train; the gallery is a grid of tiles of the test flight's map. Say so beside every score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from runtime.errors import DataError
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.model.preprocess import encoder_input
from runtime.types import Picture
from train.data.benchmarks import folders
from train.data.benchmarks.benchmark import BenchmarkPart, Count, CountLine, Deviation, count_deviations
from train.data.benchmarks.visloc_flights import AerialPhoto, VislocFlight, read_flights
from train.data.benchmarks.visloc_map import FlightMap
from train.data.benchmarks.visloc_source import Spot, VislocSource, lay_on_ground, view_side_m
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalPicture, RetrievalSet
from train.data.split import Split
from train.data.view_spec import ViewSpec

NAME = "UAV-VisLoc"
TEST, VAL = ("03", "04"), ("10",)
FULL = Count(11, 6742)  # flights and pictures
STRIDE = 0.5  # of a gallery tile's side
_SHOT_PX = 512

Sites = Mapping[str, tuple[int, LocalFrame]]  # of flights


def open_train(root: Path, choice: Choice, view: ViewSpec, parts: Sequence[str] = ()) -> VislocSource:
    """Return pictures of the training flights (those in ``parts``, if any), or of ``val``; raises DataError."""
    flights = _read(root, parts)
    tested = [name for name in parts if _split(name) == "test"]
    if tested:
        raise DataError(f"flight {', '.join(tested)} of {NAME} is kept for the test; train on others")
    wanted = [f for f in flights if _split(f.name) in (("train", "val") if choice.split is None else (choice.split,))]
    if parts:
        wanted = [f for f in wanted if f.name in parts or _split(f.name) == "val"]
    usable = [flight for flight in wanted if flight.why_not is None]
    if wanted and not usable:
        raise DataError(f"flight {wanted[0].name} of {root} cannot be trained on: {wanted[0].why_not}")
    sites = _sites(flights)
    return VislocSource([spot for flight in usable for spot in _spots(flight, sites)], view)


def retrieval_sets(root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]:
    """Return each test flight (or each that ``parts`` names) against the tiles of its own map; raises DataError.

    The nearest tile alone is right, though its neighbours show much of the same ground: R@1 is strict, and distances
    tell more.
    """
    tested = [flight for flight in _read(root, parts) if flight.name in (parts or TEST)]
    if not tested:
        raise DataError(f"{root} has none of the test flights {', '.join(TEST)}; name others, as visloc:{root}#01")
    folders.raise_first([f"flight {f.name} of {root} cannot be scored: {f.why_not}" for f in tested if f.why_not])
    return [_retrieval_set(flight) for flight in tested]


def count_table(root: Path, parts: Sequence[str] = ()) -> list[CountLine]:
    """Count flights and pictures, then cells and pictures that lie on each flight's map; raises DataError."""
    flights = _read(root, parts)
    sites = _sites(flights)
    here = Count(len(flights), sum(len(flight.photos) for flight in flights))
    lines = [CountLine(f"{NAME} flights", "all", here, FULL)]
    for flight in flights:
        spots, split = _spots(flight, sites), _split(flight.name)
        here = Count(len({spot.place for spot in spots}), len(spots))
        part: BenchmarkPart = "test" if split == "test" else "train"
        lines.append(CountLine(f"flight {flight.name}", part, here, None, flight.why_not or split))
    return lines


def faults(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """Describe all that is wrong; raises DataError where ``root`` is no UAV-VisLoc."""
    wrong = []
    for flight in _read(root, parts):
        listed = {photo.path.name for photo in flight.photos}
        strays = [p.name for p in folders.pictures_in(root / flight.name / "drone") if p.name not in listed]
        if strays:
            wrong.append(f"{flight.name}.csv does not list {len(strays)} pictures of drone: {folders.name_few(strays)}")
        if not flight.map.parts:
            continue
        across_m, down_m = flight.map.gsd_m(flight.map.centre.lat)
        if not 0.9 <= across_m / down_m <= 1.1:
            wrong.append(
                f"the map of flight {flight.name} has pixels of {across_m:.2f} x {down_m:.2f} m: wrong corners"
            )
        if not any(flight.map.holds(photo.place, 0.0) for photo in flight.photos):
            wrong.append(
                f"no picture of flight {flight.name} lies on its map: wrong corners, or another flight's table"
            )
    return wrong


def deviations(root: Path, parts: Sequence[str] = ()) -> list[Deviation]:
    """List what differs from the full benchmark; that the split is our own is always among it."""
    own = f"{NAME} has no official split: test flights {', '.join(parts or TEST)}, tiles every {STRIDE:g} of their side"
    return [Deviation("all", own), *count_deviations(count_table(root))]


def pictures(root: Path, parts: Sequence[str] = ()) -> list[Path]:
    """List every drone picture."""
    return [photo.path for flight in _read(root, parts) for photo in flight.photos]


def _read(root: Path, parts: Sequence[str]) -> list[VislocFlight]:
    """Read all flights; raises DataError where one of ``parts`` is not among them."""
    flights = read_flights(root)
    there = [flight.name for flight in flights]
    lost = [name for name in parts if name not in there]
    if lost:
        raise DataError(f"{root} has no flight {', '.join(lost)}; it has {', '.join(there)}")
    return flights


def _split(flight: str) -> Split:
    """Return the part that a flight has here."""
    return "test" if flight in TEST else "val" if flight in VAL else "train"


def _sites(flights: Sequence[VislocFlight]) -> Sites:
    """Number a plane for each flight; flights whose maps overlap share one, so that their squares can be compared."""
    sites: dict[str, tuple[int, LocalFrame]] = {}
    for number, flight in enumerate(flights):
        near = next((f.name for f in flights[:number] if _overlap(f.map, flight.map)), None)
        sites[flight.name] = sites[near] if near else (number, LocalFrame(flight.map.centre))
    return sites


def _overlap(a: FlightMap, b: FlightMap) -> bool:
    """Tell whether two maps share ground."""
    in_lat = max(a.south_east.lat, b.south_east.lat) < min(a.north_west.lat, b.north_west.lat)
    return in_lat and max(a.north_west.lon, b.north_west.lon) < min(a.south_east.lon, b.south_east.lon)


def _spots(flight: VislocFlight, sites: Sites) -> list[Spot]:
    """Return the pictures whose view lies on the map."""
    seen = [photo for photo in flight.photos if flight.map.holds(photo.place, view_side_m(photo.height_m) / 2)]
    return [Spot(photo, flight.map, *sites[flight.name]) for photo in seen]


def _retrieval_set(flight: VislocFlight) -> RetrievalSet:
    """Ask for each picture of a flight by the tile of its map that is nearest."""
    side_m = median(view_side_m(photo.height_m) for photo in flight.photos)
    frame = LocalFrame(flight.map.centre)
    tiles = _grid(flight.map, side_m)
    middles = np.array([frame.to_en(tile) for tile in tiles])  # (G, 2) metres
    gallery = [
        RetrievalPicture(f"{flight.name} tile {k}", str(k), partial(flight.map.window, tile, side_m, _SHOT_PX), tile)
        for k, tile in enumerate(tiles)
    ]
    queries = []
    for spot in _spots(flight, {flight.name: (0, frame)}):
        path, place = spot.photo.path, spot.photo.place
        nearest = int(np.linalg.norm(middles - frame.to_en(place), axis=1).argmin())
        shot = RetrievalPicture(
            f"{flight.name}/drone/{path.name}", str(nearest), partial(_shot, spot.photo, side_m), place
        )
        queries.append(shot)
    name = f"{NAME} flight {flight.name} drone -> map tiles"
    return RetrievalSet(name, queries, gallery, asks_from_drone=True)


def _grid(flight_map: FlightMap, side_m: float) -> list[LatLon]:
    """Return the middles of the tiles that lie on a map, row by row from the north-west."""
    frame = LocalFrame(flight_map.centre)
    (west, north), (east, south) = frame.to_en(flight_map.north_west), frame.to_en(flight_map.south_east)
    across, down = (
        side_m * (0.5 + STRIDE * np.arange(int((extent - side_m) // (STRIDE * side_m)) + 1))
        for extent in (east - west, north - south)
    )
    return [frame.to_latlon(float(west + x), float(north - y)) for y in down for x in across]


def _shot(photo: AerialPhoto, side_m: float) -> Picture:
    """Read a picture as it would be matched on board, grey where the camera did not see."""
    patch = lay_on_ground(photo, side_m, _SHOT_PX)
    return encoder_input(patch.picture, patch.seen, _SHOT_PX)
