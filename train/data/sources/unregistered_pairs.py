"""``pairs:`` that nobody registered: drone and satellite pictures of places, in two folders or listed by a CSV."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from runtime.errors import DataError
from train.data.broken_pictures import read_whole
from train.data.manifest import Choice, ManifestRow, read_rows
from train.data.retrieval_set import RetrievalPicture, RetrievalSet
from train.data.source import pictures_under
from train.data.sources.whole_pictures import WholeSource, whole_source

PicturesByPlace = Mapping[str, Sequence[Path]]

NAMES = "drone", "satellite"
_NAMED = 3


@dataclass(frozen=True)
class UnregisteredPairs:
    """Pictures of places from two views. Places that no drone saw only make the gallery of a test larger."""

    name: str
    drones: PicturesByPlace
    tiles: PicturesByPlace
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
        """List the wanted places of those that a drone saw; raises DataError for a split that no list names."""
        if not self.splits:
            if choice.split not in (None, "train", "val"):
                raise DataError(f"{self.name} has no column split; expected one to say which places are {choice.split}")
            return choice.unlisted(sorted(self.drones))
        return [place for place in sorted(self.drones) if choice.split in (None, self.splits[place])]

    def source(self, choice: Choice) -> WholeSource:
        """Return a source of one scene a place, of random pictures of it."""
        places = self.chosen(choice)
        return whole_source(self.drones, self.tiles, choice, name=self.name, drone_turns=True, places=places)

    def retrieval_sets(self, choice: Choice) -> list[RetrievalSet]:
        """Return both directions: pictures of the chosen places ask, all pictures of the other view may answer."""
        places = self.chosen(choice)
        drone, tile = self._shots(self.drones, places), self._shots(self.tiles, places)
        every_drone, every_tile = self._shots(self.drones, self.drones), self._shots(self.tiles, self.tiles)
        return [
            RetrievalSet(f"{self.name} drone -> satellite", drone, every_tile, asks_from_drone=True),
            RetrievalSet(f"{self.name} satellite -> drone", tile, every_drone, asks_from_drone=False),
        ]

    def _shots(self, pictures: PicturesByPlace, places: Iterable[str]) -> list[RetrievalPicture]:
        """List the pictures of some places."""
        return [
            RetrievalPicture(str(path), place, partial(read_whole, path), self.lat_lon.get(place))
            for place in places
            for path in pictures[place]
        ]


def find_unregistered(path: Path, names: tuple[str, str], choice: Choice) -> UnregisteredPairs | None:
    """Find rows of a CSV with these columns, or two folders of these names; None without either. Raises DataError."""
    rows = read_rows(path, names, choice)
    if rows is not None:
        return _from_rows(str(path), rows)
    folders = [path / name for name in names]
    if not all(folder.is_dir() for folder in folders):
        return None
    drones, tiles = (_by_place(folder) for folder in folders)
    return UnregisteredPairs(str(path), drones, tiles)


def _by_place(folder: Path) -> PicturesByPlace:
    """Group ``PLACE.jpg`` and ``PLACE/**/*.jpg`` by place."""
    by_place: dict[str, list[Path]] = {}
    for path in pictures_under(folder):
        inside = path.relative_to(folder)
        by_place.setdefault(inside.parts[0] if len(inside.parts) > 1 else inside.stem, []).append(path)
    return by_place


def _from_rows(name: str, rows: Sequence[ManifestRow]) -> UnregisteredPairs:
    """Group rows by place: what they call so, else what one satellite picture shows. Raises DataError."""
    drones: dict[str, list[Path]] = {}
    tiles: dict[str, list[Path]] = {}
    splits: dict[str, str] = {}
    lat_lon: dict[str, tuple[float, float]] = {}
    for row in rows:
        place = row.place or row.cells[1]
        for pictures, path in zip((drones, tiles), row.pictures, strict=True):
            if path not in pictures.setdefault(place, []):
                pictures[place].append(path)
        if row.split is not None and splits.setdefault(place, row.split) != row.split:
            raise DataError(f"{name}: place {place} is in two splits, {splits[place]} and {row.split}")
        if all(row.lat_lon):
            lat_lon[place] = _degrees(name, row.lat_lon)
    return UnregisteredPairs(name, drones, tiles, splits, lat_lon)


def _degrees(name: str, lat_lon: tuple[str, str]) -> tuple[float, float]:
    """Parse latitude and longitude; raises DataError."""
    try:
        lat, lon = map(float, lat_lon)
    except ValueError:
        lat, lon = math.nan, math.nan
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise DataError(f"{name} has lat {lat_lon[0]!r}, lon {lat_lon[1]!r}; expected degrees, or nothing")
    return lat, lon
