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
from train.data.benchmarks.folders import Count, Line
from train.data.benchmarks.visloc_flights import Flight, Sighting, read_flights
from train.data.benchmarks.visloc_map import FlightMap
from train.data.benchmarks.visloc_source import Spot, VislocSource, lay_on_ground, view_side_m
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet, Shot
from train.data.view_pair import ViewSpec

NAME = "UAV-VisLoc"
TEST, VAL = ("03", "04"), ("10",)
FULL = Count(11, 6742)  # flights and pictures
STRIDE = 0.5  # of a gallery tile's side
_SHOT_PX = 512

Sites = Mapping[str, tuple[int, LocalFrame]]  # of flights


def open_train(root: Path, choice: Choice, view: ViewSpec, parts: Sequence[str] = ()) -> VislocSource:
    """Pictures of the training flights (of those named in ``parts``), or of the ``val`` flight; raises DataError."""
    found = _read(root, parts)
    tested = [name for name in parts if _split(name) == "test"]
    if tested:
        raise DataError(f"flight {', '.join(tested)} of {NAME} is kept for the test; train on others")
    wanted = [f for f in found if _split(f.name) in (("train", "val") if choice.split is None else (choice.split,))]
    if parts:
        wanted = [f for f in wanted if f.name in parts or _split(f.name) == "val"]
    usable = [flight for flight in wanted if flight.why_not is None]
    if wanted and not usable:
        raise DataError(f"flight {wanted[0].name} of {root} cannot be trained on: {wanted[0].why_not}")
    sites = _sites(found)
    return VislocSource([spot for flight in usable for spot in _spots(flight, sites)], view)


def retrieval_sets(root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]:
    """Each test flight (or each that ``parts`` names) against the tiles of its own map; raises DataError.

    The nearest tile alone is right, though its neighbours show much of the same ground: R@1 is strict, and distances
    tell more.
    """
    tested = [flight for flight in _read(root, parts) if flight.name in (parts or TEST)]
    if not tested:
        raise DataError(f"{root} has none of the test flights {', '.join(TEST)}; name others, as visloc:{root}#01")
    folders.raise_first([f"flight {f.name} of {root} cannot be scored: {f.why_not}" for f in tested if f.why_not])
    return [_retrieval_set(flight) for flight in tested]


def table(root: Path, parts: Sequence[str] = ()) -> list[Line]:
    """Flights and pictures, then cells and pictures that lie on each flight's map; raises DataError."""
    found = _read(root, parts)
    sites = _sites(found)
    lines = [Line(f"{NAME} flights", Count(len(found), sum(len(f.sightings) for f in found)), FULL)]
    for flight in found:
        spots = _spots(flight, sites)
        count = Count(len({spot.place for spot in spots}), len(spots))
        lines.append(Line(f"flight {flight.name}", count, None, flight.why_not or _split(flight.name)))
    return lines


def check(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """All that is wrong, in words; raises DataError where ``root`` is no UAV-VisLoc."""
    faults = []
    for flight in _read(root, parts):
        listed = {s.path.name for s in flight.sightings}
        strays = [p.name for p in folders.pictures_in(root / flight.name / "drone") if p.name not in listed]
        if strays:
            faults.append(f"{flight.name}.csv does not list {len(strays)} pictures of drone: {folders.some(strays)}")
        if not flight.map.parts:
            continue
        across_m, down_m = flight.map.gsd_m(flight.map.centre.lat)
        if not 0.9 <= across_m / down_m <= 1.1:
            faults.append(
                f"the map of flight {flight.name} has pixels of {across_m:.2f} x {down_m:.2f} m: wrong corners"
            )
        if not any(flight.map.holds(s.place, 0.0) for s in flight.sightings):
            faults.append(
                f"no picture of flight {flight.name} lies on its map: wrong corners, or another flight's table"
            )
    return faults


def is_complete(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """What differs from the full benchmark; that the split is our own is always among it."""
    own = f"{NAME} has no official split: test flights {', '.join(parts or TEST)}, tiles every {STRIDE:g} of their side"
    return [own, *folders.deviations(table(root))]


def pictures(root: Path, parts: Sequence[str] = ()) -> list[Path]:
    """Every drone picture."""
    return [s.path for flight in _read(root, parts) for s in flight.sightings]


def _read(root: Path, parts: Sequence[str]) -> list[Flight]:
    found = read_flights(root)
    there = [flight.name for flight in found]
    lost = [name for name in parts if name not in there]
    if lost:
        raise DataError(f"{root} has no flight {', '.join(lost)}; it has {', '.join(there)}")
    return found


def _split(flight: str) -> str:
    return "test" if flight in TEST else "val" if flight in VAL else "train"


def _sites(flights: Sequence[Flight]) -> Sites:
    """A plane for each flight; those whose maps overlap share one, so that their squares can be compared."""
    sites: dict[str, tuple[int, LocalFrame]] = {}
    for number, flight in enumerate(flights):
        near = next((f.name for f in flights[:number] if _overlap(f.map, flight.map)), None)
        sites[flight.name] = sites[near] if near else (number, LocalFrame(flight.map.centre))
    return sites


def _overlap(a: FlightMap, b: FlightMap) -> bool:
    in_lat = max(a.south_east.lat, b.south_east.lat) < min(a.north_west.lat, b.north_west.lat)
    return in_lat and max(a.north_west.lon, b.north_west.lon) < min(a.south_east.lon, b.south_east.lon)


def _spots(flight: Flight, sites: Sites) -> list[Spot]:
    """The pictures whose view lies on the map."""
    seen = [s for s in flight.sightings if flight.map.holds(s.place, view_side_m(s.height_m) / 2)]
    return [Spot(s, flight.map, *sites[flight.name]) for s in seen]


def _retrieval_set(flight: Flight) -> RetrievalSet:
    side_m = median(view_side_m(s.height_m) for s in flight.sightings)
    frame = LocalFrame(flight.map.centre)
    tiles = _grid(flight.map, side_m)
    middles = np.array([frame.to_en(tile) for tile in tiles])  # (G, 2) metres
    gallery = [
        Shot(f"{flight.name} tile {k}", str(k), partial(flight.map.window, tile, side_m, _SHOT_PX), tile)
        for k, tile in enumerate(tiles)
    ]
    queries = []
    for spot in _spots(flight, {flight.name: (0, frame)}):
        path, place = spot.sighting.path, spot.sighting.place
        nearest = int(np.linalg.norm(middles - frame.to_en(place), axis=1).argmin())
        shot = Shot(f"{flight.name}/drone/{path.name}", str(nearest), partial(_shot, spot.sighting, side_m), place)
        queries.append(shot)
    return RetrievalSet(f"{NAME} flight {flight.name} drone -> map tiles", queries, gallery)


def _grid(flight_map: FlightMap, side_m: float) -> list[LatLon]:
    """Middles of the tiles that lie on a map, row by row from the north-west."""
    frame = LocalFrame(flight_map.centre)
    (west, north), (east, south) = frame.to_en(flight_map.north_west), frame.to_en(flight_map.south_east)
    across, down = (
        side_m * (0.5 + STRIDE * np.arange(int((extent - side_m) // (STRIDE * side_m)) + 1))
        for extent in (east - west, north - south)
    )
    return [frame.to_latlon(float(west + x), float(north - y)) for y in down for x in across]


def _shot(sighting: Sighting, side_m: float) -> Picture:
    """A picture as it would be matched on board, grey where the camera did not see."""
    patch = lay_on_ground(sighting, side_m, _SHOT_PX)
    return encoder_input(patch.picture, patch.seen, _SHOT_PX)
