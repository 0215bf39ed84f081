"""Benchmarks as they lie on a disk: folders of places, each a folder of pictures; what is wrong with them, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from runtime.errors import DataError
from train.data.broken_pictures import read_sound
from train.data.retrieval_set import RetrievalSet, Shot
from train.data.source import PICTURE_SUFFIXES


class Count(NamedTuple):
    """How much there is of something."""

    places: int
    pictures: int


class Line(NamedTuple):
    """One line of a validator's table."""

    name: str
    found: Count
    full: Count | None  # of the whole benchmark, where that is known
    note: str = ""


@dataclass(frozen=True)
class PlaceFolders:
    """A folder with a folder for each place."""

    folder: Path
    pictures: Mapping[str, Sequence[Path]]  # place to its sorted pictures; there may be none

    @property
    def count(self) -> Count:
        return Count(len(self.pictures), sum(map(len, self.pictures.values())))

    def only(self, places: Collection[str]) -> PlaceFolders:
        """Those of some places."""
        return PlaceFolders(self.folder, {p: paths for p, paths in self.pictures.items() if p in places})


def read_places(folder: Path, inner: str = "") -> PlaceFolders:
    """The places of a folder, with the pictures in each, or in its folder ``inner``; none where there is no folder."""
    names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    return PlaceFolders(folder, {name: pictures_in(folder / name / inner) for name in names})


def pictures_in(folder: Path) -> list[Path]:
    """The pictures right in a folder, sorted; none where there is no folder."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES) if folder.is_dir() else []


def check_root(root: Path, marks: Sequence[str], name: str) -> None:
    """Raises DataError where ``root`` has none of the folders ``marks``; says which folder near it was meant."""
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
    """Raises DataError with the first of the faults, where there are any."""
    if faults:
        raise DataError(faults[0])


def missing(*views: PlaceFolders) -> list[str]:
    """Folders that hold no places."""
    return [f"{view.folder} is missing, or holds no folders of places" for view in views if not view.pictures]


def empty(*views: PlaceFolders) -> list[str]:
    """Places without a picture."""
    holes = {view.folder: [p for p, paths in view.pictures.items() if not paths] for view in views}
    return [
        f"{len(names)} folders of {folder} hold no picture: {some(names)}; fetch them again, or take them out"
        for folder, names in holes.items()
        if names
    ]


def unpaired(first: PlaceFolders, second: PlaceFolders) -> list[str]:
    """Places that only one of two views has."""
    faults = []
    for one, other in ((first, second), (second, first)):
        alone = [place for place in one.pictures if place not in other.pictures]
        if alone and other.pictures:
            faults.append(f"{len(alone)} places of {one.folder} are not in {other.folder}: {some(alone)}")
    return faults


def unanswered(queries: PlaceFolders, gallery: PlaceFolders) -> list[str]:
    """Places that are asked for, and not in the gallery."""
    lost = [place for place in queries.pictures if place not in gallery.pictures]
    if not (lost and gallery.pictures):
        return []
    return [f"{len(lost)} places of {queries.folder} have no answer in {gallery.folder}: {some(lost)}"]


def leaking(train: PlaceFolders, test: PlaceFolders) -> list[str]:
    """Places of the test that are trained on."""
    both = [place for place in test.pictures if place in train.pictures]
    if not both:
        return []
    return [f"{len(both)} places of {test.folder} are also in {train.folder}: {some(both)}; scores would be untrue"]


def mixed(kinds: Mapping[str, Collection[str]], known: Collection[str], where: Path) -> list[str]:
    """Places with other kinds of pictures (heights) than known, or than most places have."""
    strange = {place: sorted(set(kind) - set(known)) for place, kind in kinds.items() if set(kind) - set(known)}
    if strange:
        place, names = next(iter(strange.items()))
        return [f"{len(strange)} places of {where} hold {some(names)}, {place} first; expected {', '.join(known)}"]
    sets = Counter(frozenset(kind) for kind in kinds.values())
    if len(sets) < 2:
        return []
    usual = sets.most_common(1)[0][0]
    uneven = [place for place, kind in kinds.items() if frozenset(kind) != usual]
    return [f"{len(uneven)} places of {where} have not {', '.join(sorted(usual))} as the others: {some(uneven)}"]


def deviations(lines: Iterable[Line]) -> list[str]:
    """Where what was found is not the full benchmark."""
    return [
        f"{name}: {found.places} of {full.places} places, {found.pictures} of {full.pictures} pictures"
        for name, found, full, _ in lines
        if full is not None and found != full
    ]


def retrieval_set(
    name: str,
    root: Path,
    queries: PlaceFolders,
    gallery: PlaceFolders,
    lat_lon: Mapping[str, tuple[float, float]] | None = None,  # place to degrees
) -> RetrievalSet:
    """All pictures of two views; nothing is taken out of the gallery."""

    def shots(view: PlaceFolders) -> list[Shot]:
        return [
            Shot(str(path.relative_to(root)), place, partial(read_sound, path), (lat_lon or {}).get(place))
            for place, paths in view.pictures.items()
            for path in paths
        ]

    return RetrievalSet(name, shots(queries), shots(gallery))


def some(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _is_root(folder: Path, marks: Sequence[str]) -> bool:
    return any((folder / mark).is_dir() for mark in marks)
