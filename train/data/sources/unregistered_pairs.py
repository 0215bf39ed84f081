"""``pairs:`` that nobody registered: drone and satellite pictures of places, in two folders or listed by a CSV."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from runtime.errors import DataError
from train.data.broken_pictures import read_sound
from train.data.manifest import Choice, Row, read_rows
from train.data.retrieval_set import RetrievalSet, Shot
from train.data.source import pictures_under
from train.data.sources.whole_pictures import WholeSource, whole_source

Pictures = Mapping[str, Sequence[Path]]  # of each place

NAMES = "drone", "satellite"
_NAMED = 3


@dataclass(frozen=True)
class Matched:
    """What shows which place. Places that no drone saw only make the gallery of a test larger."""

    name: str
    drones: Pictures
    tiles: Pictures
    splits: Mapping[str, str] = field(default_factory=dict)  # empty: every eighth place is ``val``
    lat_lon: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # degrees

    def __post_init__(self) -> None:
        alone = [place for place in self.drones if place not in self.tiles]
        if alone or not self.drones:
            named = ", ".join(alone[:_NAMED]) + (" ..." if len(alone) > _NAMED else "")
            raise DataError(
                f"{self.name}: {len(alone)} of {len(self.drones)} places with drone pictures have no satellite picture"
                f"{': ' if alone else ''}{named}; expected drone/PLACE.jpg or drone/PLACE/*.jpg, and satellite the same"
            )

    def chosen(self, choice: Choice) -> list[str]:
        """The places that are wanted of those that a drone saw; raises DataError for a split that no list names."""
        if not self.splits:
            if choice.split not in (None, "train", "val"):
                raise DataError(f"{self.name} has no column split; expected one to say which places are {choice.split}")
            return choice.unlisted(sorted(self.drones))
        return [place for place in sorted(self.drones) if choice.split in (None, self.splits[place])]

    def source(self, choice: Choice) -> WholeSource:
        """One scene a place, of random pictures of it."""
        places = self.chosen(choice)
        return whole_source(self.drones, self.tiles, choice, name=self.name, drone_turns=True, places=places)

    def retrieval_sets(self, choice: Choice) -> list[RetrievalSet]:
        """Both directions: pictures of the chosen places ask, all pictures of the other view may answer."""
        places = self.chosen(choice)
        drone, tile = self._shots(self.drones, places), self._shots(self.tiles, places)
        every_drone, every_tile = self._shots(self.drones, self.drones), self._shots(self.tiles, self.tiles)
        return [
            RetrievalSet(f"{self.name} drone -> satellite", drone, every_tile),
            RetrievalSet(f"{self.name} satellite -> drone", tile, every_drone),
        ]

    def _shots(self, pictures: Pictures, places: Iterable[str]) -> list[Shot]:
        return [
            Shot(str(path), place, partial(read_sound, path), self.lat_lon.get(place))
            for place in places
            for path in pictures[place]
        ]


def find_matched(path: Path, names: tuple[str, str], choice: Choice) -> Matched | None:
    """Rows of a CSV with these columns, or two folders of these names; None where there are none. Raises DataError."""
    rows = read_rows(path, names, choice)
    if rows is not None:
        return _from_rows(str(path), rows, satellite=names[1])
    folders = [path / name for name in names]
    if not all(folder.is_dir() for folder in folders):
        return None
    drones, tiles = (_by_place(folder) for folder in folders)
    return Matched(str(path), drones, tiles)


def _by_place(folder: Path) -> Pictures:
    """``PLACE.jpg`` and ``PLACE/**/*.jpg``."""
    found: dict[str, list[Path]] = {}
    for path in pictures_under(folder):
        inside = path.relative_to(folder)
        found.setdefault(inside.parts[0] if len(inside.parts) > 1 else inside.stem, []).append(path)
    return found


def _from_rows(name: str, rows: Sequence[Row], *, satellite: str) -> Matched:
    """A place is what the rows call so, else what one satellite picture shows."""
    drones: dict[str, list[Path]] = {}
    tiles: dict[str, list[Path]] = {}
    splits: dict[str, str] = {}
    lat_lon: dict[str, tuple[float, float]] = {}
    for row in rows:
        place = row.line.get("place") or row.line[satellite]
        for pictures, path in zip((drones, tiles), row.pictures, strict=True):
            if path not in pictures.setdefault(place, []):
                pictures[place].append(path)
        if "split" in row.line and splits.setdefault(place, row.line["split"]) != row.line["split"]:
            raise DataError(f"{name}: place {place} is in two splits, {splits[place]} and {row.line['split']}")
        if row.line.get("lat") and row.line.get("lon"):
            lat_lon[place] = _degrees(name, row.line)
    return Matched(name, drones, tiles, splits, lat_lon)


def _degrees(name: str, line: Mapping[str, str]) -> tuple[float, float]:
    try:
        lat, lon = float(line["lat"]), float(line["lon"])
    except ValueError:
        lat, lon = math.nan, math.nan
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise DataError(f"{name} has lat {line['lat']!r}, lon {line['lon']!r}; expected degrees, or nothing")
    return lat, lon
