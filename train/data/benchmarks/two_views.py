"""The layout that University-1652 began and DenseUAV took over.

``train/{drone,satellite}/<id>`` and ``test/{query,gallery}_{drone,satellite}/<id>``.
``test/{query,gallery}_{drone,satellite}/<id>``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runtime.errors import DataError
from train.data.benchmarks import folders
from train.data.benchmarks.benchmark import Count, CountLine
from train.data.benchmarks.folders import PlaceFolders
from train.data.retrieval_set import RetrievalSet

TRAIN = "train/drone", "train/satellite"


class Direction(NamedTuple):
    """A way in which places are looked for, with the folders of its queries and of its gallery."""

    name: str
    queries: str
    gallery: str
    asks_from_drone: bool


DIRECTIONS = (
    Direction("drone -> satellite", "test/query_drone", "test/gallery_satellite", True),
    Direction("satellite -> drone", "test/query_satellite", "test/gallery_drone", False),
)

ViewFolders = Mapping[str, PlaceFolders]  # by the folder's path under the root


@dataclass(frozen=True)
class TwoViews:
    """A benchmark of this layout, with the counts of its full release."""

    name: str
    full: Mapping[str, Count]  # of all its folders that are read

    def read(self, root: Path, parts: Sequence[str] = ()) -> ViewFolders:
        """Read the places of each folder, none where it is missing; raises DataError where all are."""
        if parts:
            raise DataError(f"{self.name} has no parts; leave out #{','.join(parts)}")
        folders.check_root(root, ("train/drone", "test/query_drone", "test/query_satellite"), self.name)
        return {name: folders.read_places(root / name) for name in self.full}

    def train(self, root: Path, parts: Sequence[str]) -> tuple[PlaceFolders, PlaceFolders]:
        """Return drone and satellite pictures of the same places; raises DataError."""
        views = self.read(root, parts)
        folders.raise_first(train_faults(views))
        return views[TRAIN[0]], views[TRAIN[1]]

    def retrieval_sets(
        self, root: Path, views: ViewFolders, lat_lon: Mapping[str, tuple[float, float]] | None = None
    ) -> list[RetrievalSet]:
        """Return the directions whose folders are there, galleries whole; raises DataError without any."""
        present = [way for way in DIRECTIONS if views[way.queries].pictures and views[way.gallery].pictures]
        if not present:
            first = DIRECTIONS[0]
            folders.raise_first(folders.missing(views[first.queries], views[first.gallery]))
        return [
            folders.retrieval_set(
                f"{self.name} {way.name}",
                root,
                views[way.queries],
                views[way.gallery],
                asks_from_drone=way.asks_from_drone,
                lat_lon=lat_lon,
            )
            for way in present
        ]

    def count_table(self, root: Path, parts: Sequence[str]) -> list[CountLine]:
        """Count what is in the folders, beside the counts of the full benchmark; raises DataError."""
        return [
            CountLine(name, "train" if name in TRAIN else "test", view.count, self.full[name])
            for name, view in self.read(root, parts).items()
        ]

    def pictures(self, root: Path, parts: Sequence[str]) -> list[Path]:
        """List every picture that training or the test reads; raises DataError."""
        views = self.read(root, parts).values()
        return [path for view in views for paths in view.pictures.values() for path in paths]


def train_faults(views: ViewFolders) -> list[str]:
    """Describe why the training folders cannot be used."""
    drone, satellite = (views[name] for name in TRAIN)
    alone = folders.unpaired(drone, satellite)
    return folders.missing(drone, satellite) + folders.empty(drone, satellite) + alone


def faults(views: ViewFolders, *, galleries_hold_train: bool) -> list[str]:
    """Describe all that is wrong with the folders; training folders may be missing where only the test is wanted."""
    wrong = train_faults(views) if any(views[name].pictures for name in TRAIN) else []
    for way in DIRECTIONS:
        queries, gallery = views[way.queries], views[way.gallery]
        wrong += folders.empty(queries, gallery)
        wrong += folders.unanswered(queries, gallery)
        wrong += folders.leaking(views[TRAIN[0]], queries if galleries_hold_train else gallery)
    return wrong
