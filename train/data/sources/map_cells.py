"""``overhead:MAP.tif``: every cell of a map is a scene; views of random squares in it are rendered."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from runtime.errors import DataError
from runtime.types import FloatArray
from train.data.geotiff import GeoMap, RasterWindow
from train.data.manifest import Choice
from train.data.source import Footprint, Views
from train.data.view_pair import BESIDE, Ground, patch_grid, shift, turn, views_and_beside
from train.data.view_spec import ViewSpec

MAP_SUFFIXES = (".tif", ".tiff", ".vrt", ".mbtiles")
MIN_MAPPED = 0.9  # of a square
_CORNER = math.sqrt(2.0)
_REACH = 0.9  # of a square's side about its middle: turned, and moved by errors of pose
_FINER = 1.4  # a window's pixels against the patch's: enough that the warp loses nothing
_PROBE_PX = 32
_CALMING = (1.0, 0.5, 0.0)


@dataclass(frozen=True)
class MapSource:
    """A source of squares of random size and turn, about a footprint apart.

    At the map's rim they keep to the cell's middle.
    """

    map: GeoMap
    middles_m: FloatArray  # (N, 2) of cells, on the map's plane
    pixels_from_plane: FloatArray  # (N, 3, 3)
    view: ViewSpec
    astray: float  # of a cell, how far a square may be from its middle

    @property
    def places(self) -> Sequence[str]:
        """The name of each cell: its middle on the map's plane."""
        return [f"{self.map.path} {east:.0f} m east, {north:.0f} m north" for east, north in self.middles_m]

    @property
    def files(self) -> Sequence[Path]:
        """No files to check: the map is checked where it is opened."""
        return ()

    def without(self, broken: Collection[Path]) -> MapSource:
        """Return the source as it is, since it has no pictures to leave out."""
        return self

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render a tile and a drone view of a random square in the cell; raises ImageryError."""
        least_m, most_m = self.view.footprint_m
        side_m = math.exp(rng.uniform(math.log(least_m), math.log(most_m)))
        away_m = rng.uniform(-self.astray, self.astray, 2) * cell_m(self.view)
        turned = turn(rng, math.pi / 4)
        reach = _REACH + (BESIDE[1] if self.view.beside else 0.0)
        for calm in _CALMING:
            middle, square_m = self.middles_m[index] + calm * away_m, least_m * (side_m / least_m) ** calm
            finest_m = square_m / side_px / _FINER
            window = self.map.window(self.pixels_from_plane[index], middle, reach * square_m, finest_m)
            if window is None:
                continue
            pixel_from_ground = window.pixel_from_plane @ shift(*middle) @ turned
            if calm == _CALMING[-1] or _mapped_share(window, pixel_from_ground, square_m) >= MIN_MAPPED:
                break
        else:
            raise DataError(f"{self.places[index]}: the map has nothing there; it was changed since it was opened")
        ground = Ground(window.picture, window.picture, pixel_from_ground, window.gsd_m)
        views = views_and_beside(ground, square_m, rng, side_px=side_px, spec=self.view)
        return views._replace(footprint=Footprint(0, float(middle[0]), float(middle[1]), square_m))


def open_map(path: Path, choice: Choice, view: ViewSpec) -> MapSource:
    """Open the cells of a GeoTIFF; those of ``val`` lie together at an end of the map. Raises SkyfixError."""
    geo_map, middles_m = _cells(path, view)
    middles_m = middles_m[choice.apart(middles_m, cell_m(view) + _CORNER * (1 + view.offset) * view.footprint_m[1])]
    astray = 0.5 if choice.split == "train" else 0.0  # what is to be told apart must not be the same
    return MapSource(geo_map, middles_m, geo_map.pixels_from_plane(middles_m), view, astray)


def cell_m(view: ViewSpec) -> float:
    """Return the side of a cell, metres: about a footprint."""
    return math.sqrt(view.footprint_m[0] * view.footprint_m[1])


@lru_cache(maxsize=8)  # train and val are cells of the same map
def _cells(path: Path, view: ViewSpec) -> tuple[GeoMap, FloatArray]:
    """Return the map and the middles (N, 2) of the cells that it has whole; raises DataError where there are none."""
    geo_map = GeoMap.open(path)
    west, south, east, north = geo_map.box_m
    step_m, least_m = cell_m(view), view.footprint_m[0]
    columns, rows = (max(1, int((high - low) / step_m)) for low, high in ((west, east), (south, north)))
    across, up = (np.arange(count) - (count - 1) / 2 for count in (columns, rows))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2) * step_m
    middles_m = grid + np.array([west + east, south + north]) / 2
    kept = middles_m[geo_map.seen_around(middles_m, least_m) >= MIN_MAPPED]
    if not len(kept):
        raise DataError(
            f"{path} is {east - west:.0f} m by {north - south:.0f} m, and no square of {least_m:g} m in it is whole; "
            "give a larger map"
        )
    return geo_map, kept


def _mapped_share(window: RasterWindow, pixel_from_ground: FloatArray, square_m: float) -> float:
    """Return how much of a square the window shows, 0 to 1."""
    size, flags = (_PROBE_PX, _PROBE_PX), cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    seen = window.seen.astype(np.uint8)
    return float(
        cv2.warpPerspective(seen, pixel_from_ground @ patch_grid(square_m, _PROBE_PX), size, flags=flags).mean()
    )
