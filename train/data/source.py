"""What every kind of training data looks like to the trainer: places, and two views of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import DataError
from runtime.types import Mask, Picture

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


class Footprint(NamedTuple):
    """The square of ground that a tile shows, where a source knows it."""

    site: int  # squares of two sites never overlap; numbered within a source
    east_m: float  # of its middle, in a plane of the site's own
    north_m: float
    side_m: float


class Views(NamedTuple):
    """Two pictures of one place; ``drone_seen`` is False where the camera saw nothing."""

    drone: Picture  # (S, S, 3)
    drone_seen: Mask  # (S, S)
    tile: Picture  # (S, S, 3)
    footprint: Footprint | None = None
    beside: Views | None = None  # another place near by, at the same scale: a near miss
    tile_from_drone: NDArray[np.float32] | None = None  # (S, S, 2) where in the tile each pixel of ``drone`` lies


class PairSource(Protocol):
    """A collection of scenes to train on."""

    @property
    def places(self) -> Sequence[str]:
        """The place of each scene; two scenes of one place must not meet in a batch."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """Pictures to check at the start; a map that is read in windows is checked where it is opened."""
        ...

    def without(self, broken: Collection[Path]) -> PairSource:
        """Return the scenes that are left without these files."""
        ...

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render two views of a scene, a function of ``index`` and ``rng`` alone; raises DataError."""
        ...


@dataclass(frozen=True)
class Weighted:
    """A source whose places are drawn ``weight`` times as often as once an epoch."""

    source: PairSource
    weight: float

    @property
    def places(self) -> Sequence[str]:
        """The place of each scene."""
        return self.source.places

    @property
    def files(self) -> Sequence[Path]:
        """Pictures to check at the start."""
        return self.source.files

    def without(self, broken: Collection[Path]) -> Weighted:
        """Return what is left of the source, with the same weight."""
        return Weighted(self.source.without(broken), self.weight)

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render two views of a scene of the source; raises DataError."""
        return self.source.render(index, rng, side_px)


def read_picture(path: Path, how: int = cv2.IMREAD_COLOR) -> Picture:
    """Read a picture as RGB bytes, smaller where ``how`` is an ``IMREAD_REDUCED_COLOR``; raises DataError."""
    picture = cv2.imread(str(path), how)
    if picture is None:
        state = "is no picture that OpenCV can read" if path.is_file() else "is missing"
        raise DataError(f"{path} {state}; mend it, or take it out of the data")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def pictures_under(folder: Path) -> list[Path]:
    """List all pictures in a folder and below, sorted; raises DataError when there are none."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one with pictures, as KIND:FOLDER")
    pictures = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise DataError(f"{folder} holds no pictures ({', '.join(PICTURE_SUFFIXES)})")
    return pictures
