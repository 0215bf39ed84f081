"""Pictures that are used whole, as benchmarks deliver them: no pose is known, so nothing can be rectified."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.types import Picture
from train.data.manifest import Choice
from train.data.source import Views, read_picture

Pixel = TypeVar("Pixel", np.uint8, np.bool_)

_VAL_EVERY = 8
_VAL_VIEWS = 4  # drone pictures that a held-out place is asked for by
_CROP = 0.85  # least share of a side that a crop keeps


@dataclass(frozen=True)
class WholeScene:
    """A place, and the pictures of it that are drawn from."""

    place: str
    drones: Sequence[Path]
    tiles: Sequence[Path]


@dataclass(frozen=True)
class WholeSource:
    """A source of scenes whose pictures become squares.

    With ``moving``, both views are mirrored together, cropped a little each, and turned by quarters each on its own,
    since no heading is known: the tile always, the drone's only where the camera looks straight down
    (``drone_turns``). An oblique picture's up is away from the camera, in training as in the test.
    Source: Deuser et al., Sample4Geo, ICCV 2023 (mirror together, turn the satellite's picture).
    """

    scenes: Sequence[WholeScene]
    moving: bool
    drone_turns: bool

    @property
    def places(self) -> Sequence[str]:
        """The place of each scene."""
        return [scene.place for scene in self.scenes]

    @property
    def files(self) -> Sequence[Path]:
        """Every picture of every scene."""
        return [path for scene in self.scenes for path in (*scene.drones, *scene.tiles)]

    def without(self, broken: Collection[Path]) -> WholeSource:
        """Return the scenes that keep a picture of either view."""
        left = []
        for scene in self.scenes:
            drones, tiles = ([p for p in paths if p not in broken] for paths in (scene.drones, scene.tiles))
            if drones and tiles:
                left.append(replace(scene, drones=drones, tiles=tiles))
        return replace(self, scenes=left)

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Draw a random drone picture and a random tile of the place; raises DataError."""
        scene = self.scenes[index]
        drone, tile = (read_picture(paths[int(rng.integers(len(paths)))]) for paths in (scene.drones, scene.tiles))
        if self.moving:
            drone, tile = _cropped(drone, rng), _cropped(tile, rng)
        drone, tile = square(drone, side_px), square(tile, side_px)
        if self.moving:
            mirrored = rng.random() < 0.5
            drone = moved(drone, mirrored, int(rng.integers(4)) if self.drone_turns else 0)
            tile = moved(tile, mirrored, int(rng.integers(4)))
        return Views(drone, np.ones((side_px, side_px), np.bool_), tile)


def square(picture: Picture, side_px: int) -> Picture:  # (H, W, 3) -> (side_px, side_px, 3)
    """Squeeze the whole picture into a square, by area where it shrinks: how every benchmark reads its own."""
    shrinks = side_px < min(picture.shape[:2])
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=how), np.uint8)


def whole_source(
    drones: Mapping[str, Sequence[Path]],
    tiles: Mapping[str, Sequence[Path]],
    choice: Choice,
    *,
    name: str,
    drone_turns: bool,
    run: int = 1,
    places: Sequence[str] | None = None,
) -> WholeSource:
    """Make one scene a place; a held-out place has several, each with other drone pictures: selection is less noisy.

    ``places`` are those wanted, None: those of :func:`held_out` with ``run``; both mappings have them.
    """
    scenes = []
    for key in held_out(sorted(drones), choice, run) if places is None else places:
        parts = min(_VAL_VIEWS, len(drones[key])) if choice.split == "val" else 1
        scenes += [WholeScene(f"{name} {key}", drones[key][k::parts], tiles[key]) for k in range(parts)]
    return WholeSource(scenes, moving=choice.split == "train", drone_turns=drone_turns)


def held_out(places: Sequence[str], choice: Choice, run: int = 1) -> list[str]:
    """Return the training places that ``choice`` wants: of every eight runs of ``run`` places, the last is ``val``."""
    if choice.split is None:
        return list(places)
    is_val = [k // run % _VAL_EVERY == _VAL_EVERY - 1 for k in range(len(places))]
    return [place for place, val in zip(places, is_val, strict=True) if val == (choice.split == "val")]


def _cropped(picture: Picture, rng: np.random.Generator) -> Picture:
    """Cut a random part that keeps most of each side."""
    share = rng.uniform(_CROP, 1.0)
    height, width = (max(1, round(size * share)) for size in picture.shape[:2])
    top, left = (int(rng.integers(size - kept + 1)) for size, kept in zip(picture.shape, (height, width), strict=False))
    return picture[top : top + height, left : left + width]


def moved(picture: NDArray[Pixel], mirrored: bool, quarters: int) -> NDArray[Pixel]:
    """Mirror a picture or mask left to right, then turn it by quarters."""
    return np.ascontiguousarray(np.rot90(picture[:, ::-1] if mirrored else picture, quarters))
