"""The layout that University-1652 began and DenseUAV took over: ``train/{drone,satellite}/<id>`` and
``test/{query,gallery}_{drone,satellite}/<id>``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import DataError
from train.data.benchmarks import folders
from train.data.benchmarks.folders import Count, Line, PlaceFolders
from train.data.retrieval_set import RetrievalSet

TRAIN = "train/drone", "train/satellite"
DIRECTIONS = (
    ("drone -> satellite", "test/query_drone", "test/gallery_satellite"),
    ("satellite -> drone", "test/query_satellite", "test/gallery_drone"),
)

Views = Mapping[str, PlaceFolders]


@dataclass(frozen=True)
class TwoViews:
    """A benchmark of that layout."""

    name: str
    full: Mapping[str, Count]  # of all its folders that are read

    def read(self, root: Path, parts: Sequence[str] = ()) -> Views:
        """The places of each folder, none where it is missing; raises DataError where all are."""
        if parts:
            raise DataError(f"{self.name} has no parts; leave out #{','.join(parts)}")
        folders.check_root(root, ("train/drone", "test/query_drone", "test/query_satellite"), self.name)
        return {name: folders.read_places(root / name) for name in self.full}

    def train(self, root: Path, parts: Sequence[str]) -> tuple[PlaceFolders, PlaceFolders]:
        """Drone and satellite pictures of the same places; raises DataError."""
        views = self.read(root, parts)
        folders.raise_first(train_faults(views))
        return views[TRAIN[0]], views[TRAIN[1]]

    def retrieval_sets(
        self, root: Path, views: Views, lat_lon: Mapping[str, tuple[float, float]] | None = None
    ) -> list[RetrievalSet]:
        """The directions whose folders are there, nothing left out of the galleries; raises DataError without any."""
        present = [names for names in DIRECTIONS if views[names[1]].pictures and views[names[2]].pictures]
        if not present:
            folders.raise_first(folders.missing(*(views[name] for name in DIRECTIONS[0][1:])))
        return [
            folders.retrieval_set(f"{self.name} {direction}", root, views[query], views[gallery], lat_lon)
            for direction, query, gallery in present
        ]

    def table(self, root: Path, parts: Sequence[str]) -> list[Line]:
        """What was found, against the full benchmark; raises DataError."""
        return [Line(name, view.count, self.full[name]) for name, view in self.read(root, parts).items()]

    def pictures(self, root: Path, parts: Sequence[str]) -> list[Path]:
        """Every picture that training or the test reads; raises DataError."""
        views = self.read(root, parts).values()
        return [path for view in views for paths in view.pictures.values() for path in paths]


def train_faults(views: Views) -> list[str]:
    """Why the training folders cannot be used."""
    drone, satellite = (views[name] for name in TRAIN)
    faults = folders.missing(drone, satellite) + folders.empty(drone, satellite)
    return faults + folders.unpaired(drone, satellite)


def faults(views: Views, *, galleries_hold_train: bool) -> list[str]:
    """All that is wrong with the folders; training folders may be missing where only the test is wanted."""
    found = train_faults(views) if any(views[name].pictures for name in TRAIN) else []
    for _, query, gallery in DIRECTIONS:
        found += folders.empty(views[query], views[gallery])
        found += folders.unanswered(views[query], views[gallery])
        found += folders.leaking(views[TRAIN[0]], views[query if galleries_hold_train else gallery])
    return found
