"""Folders of places, each a folder of pictures, as benchmarks lie on a disk; and what is wrong with them, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runtime.errors import DataError
from train.data.benchmarks.benchmark import Count
from train.data.broken_pictures import read_whole
from train.data.retrieval_set import RetrievalPicture, RetrievalSet
from train.data.source import PICTURE_SUFFIXES


@dataclass(frozen=True)
class PlaceFolders:
    """A folder with a folder for each place."""

    folder: Path
    pictures: Mapping[str, Sequence[Path]]  # place to its sorted pictures; there may be none

    @property
    def count(self) -> Count:
        """How many places and pictures there are."""
        return Count(len(self.pictures), sum(map(len, self.pictures.values())))

    def only(self, places: Collection[str]) -> PlaceFolders:
        """Return only the folders of some places."""
        return PlaceFolders(self.folder, {p: paths for p, paths in self.pictures.items() if p in places})


def read_places(folder: Path, inner: str = "") -> PlaceFolders:
    """Read the places of a folder, with the pictures in each or in its folder ``inner``; none without the folder."""
    names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    return PlaceFolders(folder, {name: pictures_in(folder / name / inner) for name in names})


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures right in a folder, sorted; none where there is no folder."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES) if folder.is_dir() else []


def check_root(root: Path, marks: Sequence[str], name: str) -> None:
    """Raise DataError where ``root`` has none of the folders ``marks``; says which folder near it was meant."""
    if _is_root(root, marks):
        return
    below = [p for p in sorted(root.iterdir()) if p.is_dir()] if root.is_dir() else []
    further = [p for folder in below[:64] for p in sorted(folder.iterdir()) if p.is_dir()]
    meant = next((p for p in (*root.resolve().parents[:2], *below, *further) if _is_root(p, marks)), None)
    raise DataError(
        f"{root} is {'no ' + name if root.is_dir() else 'no folder'}: expected {' or '.join(marks)} in it"
        + (f"; did you mean {meant}?" if meant else "")
    )


def raise_first(faults: Sequence[str]) -> None:
    """Raise DataError with the first of the faults, where there are any."""
    if faults:
        raise DataError(faults[0])


def missing(*views: PlaceFolders) -> list[str]:
    """Describe the folders that hold no places."""
    return [f"{view.folder} is missing, or holds no folders of places" for view in views if not view.pictures]


def empty(*views: PlaceFolders) -> list[str]:
    """Describe the places without a picture."""
    holes = {view.folder: [p for p, paths in view.pictures.items() if not paths] for view in views}
    return [
        f"{len(names)} folders of {folder} hold no picture: {name_few(names)}; fetch them again, or take them out"
        for folder, names in holes.items()
        if names
    ]


def unpaired(first: PlaceFolders, second: PlaceFolders) -> list[str]:
    """Describe the places that only one of two views has."""
    faults = []
    for view, other in ((first, second), (second, first)):
        alone = [place for place in view.pictures if place not in other.pictures]
        if alone and other.pictures:
            faults.append(f"{len(alone)} places of {view.folder} are not in {other.folder}: {name_few(alone)}")
    return faults


def unanswered(queries: PlaceFolders, gallery: PlaceFolders) -> list[str]:
    """Describe the places that are asked for and are not in the gallery."""
    lost = [place for place in queries.pictures if place not in gallery.pictures]
    if not (lost and gallery.pictures):
        return []
    return [f"{len(lost)} places of {queries.folder} have no answer in {gallery.folder}: {name_few(lost)}"]


def leaking(train: PlaceFolders, test: PlaceFolders) -> list[str]:
    """Describe the places of the test that are trained on."""
    both = [place for place in test.pictures if place in train.pictures]
    if not both:
        return []
    return [f"{len(both)} places of {test.folder} are also in {train.folder}: {name_few(both)}; scores would be untrue"]


def mixed(kinds: Mapping[str, Collection[str]], known: Collection[str], where: Path) -> list[str]:
    """Describe the places with other kinds of pictures (heights) than known, or than most places have."""
    strange = {place: sorted(set(kind) - set(known)) for place, kind in kinds.items() if set(kind) - set(known)}
    if strange:
        place, names = next(iter(strange.items()))
        return [f"{len(strange)} places of {where} hold {name_few(names)}, {place} first; expected {', '.join(known)}"]
    sets = Counter(frozenset(kind) for kind in kinds.values())
    if len(sets) < 2:
        return []
    usual = sets.most_common(1)[0][0]
    uneven = [place for place, kind in kinds.items() if frozenset(kind) != usual]
    return [f"{len(uneven)} places of {where} have not {', '.join(sorted(usual))} as the others: {name_few(uneven)}"]


def retrieval_set(
    name: str,
    root: Path,
    queries: PlaceFolders,
    gallery: PlaceFolders,
    *,
    asks_from_drone: bool,
    lat_lon: Mapping[str, tuple[float, float]] | None = None,  # place to degrees
) -> RetrievalSet:
    """Make a set of all pictures of two views; nothing is taken out of the gallery."""

    def shots(view: PlaceFolders) -> list[RetrievalPicture]:
        return [
            RetrievalPicture(str(path.relative_to(root)), place, partial(read_whole, path), (lat_lon or {}).get(place))
            for place, paths in view.pictures.items()
            for path in paths
        ]

    return RetrievalSet(name, shots(queries), shots(gallery), asks_from_drone=asks_from_drone)


def name_few(names: Sequence[str], most: int = 3) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _is_root(folder: Path, marks: Sequence[str]) -> bool:
    """Tell whether a folder has one of the folders ``marks``."""
    return any((folder / mark).is_dir() for mark in marks)
