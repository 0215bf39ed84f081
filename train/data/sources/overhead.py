"""``overhead:PATH`` and ``site:PATH``: pairs of views rendered from pictures taken straight down."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import DataError
from runtime.types import Picture
from train.data.manifest import Choice, read_rows
from train.data.source import Views, pictures_under, read_picture
from train.data.view_pair import render_views
from train.data.view_spec import ViewSpec

UNKNOWN_GSD_M = (0.3, 0.5)  # drawn anew for each pair
_NEAR = 12  # places in a list


@dataclass(frozen=True)
class Chip:
    """One picture of ground; metres per pixel None where unknown."""

    path: Path
    gsd_m: float | None
    place: str


@dataclass(frozen=True)
class OverheadSource:
    """A source whose every chip is a scene."""

    chips: Sequence[Chip]
    view: ViewSpec

    @property
    def places(self) -> Sequence[str]:
        """The place of each chip."""
        return [chip.place for chip in self.chips]

    @property
    def files(self) -> Sequence[Path]:
        """Every chip's picture."""
        return [chip.path for chip in self.chips]

    def without(self, broken: Collection[Path]) -> OverheadSource:
        """Return the chips whose pictures are not among ``broken``."""
        return replace(self, chips=[chip for chip in self.chips if chip.path not in broken])

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render a tile and a drone view of a random footprint in the chip; raises DataError."""
        chip = self.chips[index]
        gsd_m = chip.gsd_m or rng.uniform(*UNKNOWN_GSD_M)
        picture = read_picture(chip.path)
        if self.view.quilt and rng.random() < self.view.quilt:
            picture = sewn([picture, *self._pieces(index, picture, rng)])
        return render_views(picture, gsd_m, rng, side_px=side_px, spec=self.view)

    def _pieces(self, index: int, picture: Picture, rng: np.random.Generator) -> list[Picture]:
        """Read three chips of the same scale, at the size of ``picture``, of those near in the list: often alike."""
        nearest = range(max(0, index - _NEAR), min(len(self.chips), index + _NEAR + 1))
        alike = [k for k in nearest if self.chips[k].gsd_m == self.chips[index].gsd_m]
        size = picture.shape[1], picture.shape[0]
        others = (read_picture(self.chips[k].path) for k in rng.choice(alike, 3))
        return [np.asarray(cv2.resize(other, size, interpolation=cv2.INTER_AREA), np.uint8) for other in others]


def sewn(
    pictures: Sequence[Picture],  # four, (H, W, 3) each
) -> Picture:  # (2H - H // 8, 2W - W // 8, 3)
    """Sew pictures two by two, blended over an eighth: ground for larger footprints than one of them has."""
    height, width = pictures[0].shape[:2]
    down, across = _fading(height), _fading(width)
    canvas = np.zeros((2 * height - height // 8, 2 * width - width // 8, 3), np.float32)
    for k, picture in enumerate(pictures):
        low, right = divmod(k, 2)
        share = (down[::-1] if low else down)[:, None] * (across[::-1] if right else across)
        rows = slice(-height, None) if low else slice(height)
        columns = slice(-width, None) if right else slice(width)
        canvas[rows, columns] += share[..., None] * picture
    return np.asarray(canvas + 0.5, np.uint8)


def _fading(length: int) -> NDArray[np.float32]:
    """Return 1, and down to 0 over the last eighth; with its reverse beside it the sum is 1 everywhere."""
    seam = length // 8
    return np.concatenate([np.ones(length - seam), 1 - (np.arange(seam) + 0.5) / seam]).astype(np.float32)


def open_overhead(path: Path, gsd_m: float | None, choice: Choice) -> list[Chip]:
    """List the chips of a folder, each of another place: those that a manifest lists, else all pictures.

    Raises DataError.
    """
    if not path.is_dir():
        raise DataError(f"{path} is no folder; overhead:FOLDER wants one with pictures, or with a manifest.csv")
    rows = read_rows(path, ("image",), choice)
    if rows is not None:
        return [Chip(row.pictures[0], row.gsd_m or gsd_m, str(row.pictures[0])) for row in choice.listed(rows)]
    return [Chip(p, gsd_m, str(p)) for p in choice.unlisted(pictures_under(path))]


def open_site(path: Path, gsd_m: float | None, choice: Choice) -> list[Chip]:
    """List overlapping pictures of one site: all of ``train``, all of one place. Raises DataError."""
    return [] if choice.split == "val" else [Chip(p, gsd_m, str(path)) for p in pictures_under(path)]
