"""Drone pictures of UAV-VisLoc, laid on the ground as on board, beside the map's window there."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from runtime.geo.camera import Attitude, Camera
from runtime.geo.local import LocalFrame
from runtime.geo.rectify import Patch, View, rectify
from runtime.types import Picture
from train.data.benchmarks.visloc_flights import AerialPhoto
from train.data.benchmarks.visloc_map import FlightMap
from train.data.source import Footprint, Views, read_picture
from train.data.sources.whole_pictures import moved
from train.data.view_spec import ViewSpec

# The field of view is not published; this one is public code's (Ji et al., Game4Loc, AAAI 2025). With it and their
# heights the pictures come to the 0.1 m a pixel that the authors state.
WIDTH_DEG, HEIGHT_DEG = 48.44, 33.48

_REDUCED = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
_FINER = 2  # pixels of the picture for one of the square, across: the rest is shrunk by area


@dataclass(frozen=True)
class Spot:
    """A picture with its flight's map and the plane in which its square is measured."""

    photo: AerialPhoto
    map: FlightMap
    site: int
    frame: LocalFrame

    @property
    def place(self) -> str:
        """The cell of the plane, about as wide as the view, that the picture's middle lies in."""
        side_m = view_side_m(self.photo.height_m)
        side_m = 2.0 ** round(math.log2(side_m))  # pictures from nearly one height share their cells
        column, row = (math.floor(m / side_m) for m in self.frame.to_en(self.photo.place))
        return f"UAV-VisLoc site {self.site}, cell {column} {row} of {side_m:.0f} m"


@dataclass(frozen=True)
class VislocSource:
    """A source whose every drone picture is a scene."""

    spots: Sequence[Spot]
    view: ViewSpec

    @property
    def places(self) -> Sequence[str]:
        """The place of each scene."""
        return [spot.place for spot in self.spots]

    @property
    def files(self) -> Sequence[Path]:
        """Every drone picture."""
        return [spot.photo.path for spot in self.spots]

    def without(self, broken: Collection[Path]) -> VislocSource:
        """Return the scenes whose pictures are not among ``broken``."""
        return replace(self, spots=[spot for spot in self.spots if spot.photo.path not in broken])

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render the view as its stated heading and height lay it down, both a little wrong, and a tile near it.

        Both are turned by quarters and mirrored alike. Raises DataError.
        """
        spot, spec = self.spots[index], self.view
        side_m = view_side_m(spot.photo.height_m) * rng.uniform(0.8, 1.2)
        turned_deg = rng.uniform(-spec.yaw_error_deg, spec.yaw_error_deg)
        stretched = 1.0 + rng.uniform(-spec.altitude_error, spec.altitude_error)
        patch = lay_on_ground(spot.photo, side_m, side_px, turned_deg=turned_deg, stretched=stretched)
        east_m, north_m = rng.uniform(-spec.offset, spec.offset, 2) * side_m
        centre = LocalFrame(spot.photo.place).to_latlon(float(east_m), float(north_m))
        tile = spot.map.window(centre, side_m, side_px)
        mirrored, quarters = rng.random() < 0.5, int(rng.integers(4))
        drone, tile = (moved(picture, mirrored, quarters) for picture in (patch.picture, tile))
        seen = moved(patch.seen, mirrored, quarters)
        return Views(drone, seen, tile, Footprint(spot.site, *spot.frame.to_en(centre), side_m))


def view_side_m(height_m: float) -> float:
    """Return the shorter side of a picture on the ground, metres."""
    return 2 * height_m * math.tan(math.radians(HEIGHT_DEG) / 2)


def lay_on_ground(
    photo: AerialPhoto, side_m: float, side_px: int, *, turned_deg: float = 0.0, stretched: float = 1.0
) -> Patch:
    """Return the square about a picture's middle, north up, if heading and height were so wrong; raises DataError."""
    picture = _read_at_least(photo.path, _FINER * side_px)
    height_px, width_px = picture.shape[:2]
    focal_px = width_px / 2 / math.tan(math.radians(WIDTH_DEG) / 2)
    matrix = np.array([[focal_px, 0.0, (width_px - 1) / 2], [0.0, focal_px, (height_px - 1) / 2], [0.0, 0.0, 1.0]])
    camera = Camera(width_px, height_px, matrix, np.zeros(5))
    attitude = Attitude(0.0, -90.0, (photo.heading_deg or 0.0) + turned_deg)
    return rectify(View(picture, camera, attitude, photo.height_m * stretched), (0.0, 0.0), side_m, side_px)


def _read_at_least(path: Path, least_px: int) -> Picture:
    """Read a picture whose shorter side has ``least_px`` or more, no finer than that needs; raises DataError."""
    try:
        with Image.open(path) as header:
            short_px = min(header.size)
    except OSError:
        short_px = 0  # the reader says what is wrong with it
    reduced = max((by for by in _REDUCED if short_px // by >= least_px), default=1)
    return read_picture(path, _REDUCED[reduced])
