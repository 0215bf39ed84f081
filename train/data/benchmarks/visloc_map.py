"""The map of a UAV-VisLoc flight: one TIFF, or a grid of them, that a table alone puts on Earth."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from runtime.errors import DataError
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.model.preprocess import FILL
from runtime.types import Picture

_PART = re.compile(r"satellite\d+_(\d+)-(\d+)\.tiff?$", re.IGNORECASE)


class MapPart(NamedTuple):
    """One file of a map, and where it lies in the whole map's pixels."""

    path: Path
    left_px: int
    top_px: int
    width_px: int
    height_px: int


@dataclass(frozen=True)
class FlightMap:
    """A map with north up whose pixels are linear in degrees."""

    parts: Sequence[MapPart]  # row by row; none where the map is missing
    north_west: LatLon
    south_east: LatLon

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the whole map."""
        last = self.parts[-1]
        return last.left_px + last.width_px, last.top_px + last.height_px

    @property
    def centre(self) -> LatLon:
        """The map's middle in degrees."""
        (north, west), (south, east) = self.north_west, self.south_east
        return LatLon((north + south) / 2, (west + east) / 2)

    def gsd_m(self, lat: float) -> tuple[float, float]:
        """Return metres in a pixel, across and down, at a latitude in degrees."""
        per_lon_m, per_lat_m = LocalFrame(LatLon(lat, self.north_west.lon)).metres_per_degree()
        (north, west), (south, east), (width_px, height_px) = self.north_west, self.south_east, self.size_px
        return (east - west) * per_lon_m / width_px, (north - south) * per_lat_m / height_px

    def holds(self, place: LatLon, margin_m: float) -> bool:
        """Tell whether the square that reaches ``margin_m`` from a place to each side lies on the map."""
        if not self.parts:
            return False
        frame = LocalFrame(place)
        west, north = frame.to_en(self.north_west)
        east, south = frame.to_en(self.south_east)
        return west <= -margin_m and north >= margin_m and east >= margin_m and south <= -margin_m

    def window(self, centre: LatLon, side_m: float, side_px: int) -> Picture:  # (side_px, side_px, 3)
        """Read the square of ground about ``centre``, north up; grey where the map ends. Raises DataError."""
        (north, west), (south, east), (width_px, height_px) = self.north_west, self.south_east, self.size_px
        middle = (centre.lon - west) / (east - west) * width_px, (north - centre.lat) / (north - south) * height_px
        width, height = (max(2, round(side_m / gsd)) for gsd in self.gsd_m(centre.lat))
        left, top = round(middle[0] - width / 2), round(middle[1] - height / 2)
        canvas = np.full((height, width, 3), FILL, np.uint8)
        for part in self.parts:
            _paste(canvas, part, left, top)
        how = cv2.INTER_AREA if side_px < min(width, height) else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(canvas, (side_px, side_px), interpolation=how), np.uint8)


def read_parts(folder: Path) -> list[MapPart]:
    """Find ``NN/satelliteNN.tif``, or ``satelliteNN_<row>-<column>.tif`` row by row, or none; raises DataError."""
    whole = folder / f"satellite{folder.name}.tif"
    if whole.is_file():
        return [MapPart(whole, 0, 0, *_size_px(whole))]
    cells = {(int(m[1]), int(m[2])): path for path in folder.iterdir() if (m := _PART.match(path.name))}
    parts, top = [], 0
    for row in sorted({row for row, _ in cells}):
        left, height = 0, 0
        for at in sorted(at for at in cells if at[0] == row):
            width, height = _size_px(cells[at])
            parts.append(MapPart(cells[at], left, top, width, height))
            left += width
        top += height
    return parts


def _paste(canvas: Picture, part: MapPart, left: int, top: int) -> None:
    """Fill what a part shows of the canvas, whose corner is at (left, top) of the whole map."""
    x0, x1 = max(left, part.left_px), min(left + canvas.shape[1], part.left_px + part.width_px)
    y0, y1 = max(top, part.top_px), min(top + canvas.shape[0], part.top_px + part.height_px)
    if x0 >= x1 or y0 >= y1:
        return
    with _opened(part.path) as dataset:
        bands = dataset.read([1, 2, 3], window=Window(x0 - part.left_px, y0 - part.top_px, x1 - x0, y1 - y0))
    canvas[y0 - top : y1 - top, x0 - left : x1 - left] = np.moveaxis(bands, 0, 2)


def _size_px(path: Path) -> tuple[int, int]:
    """Return width and height of a map's file; raises DataError where it is not in colour."""
    with _opened(path) as dataset:
        if dataset.count < 3 or dataset.dtypes[0] != "uint8":
            raise DataError(f"{path} has {dataset.count} bands of {dataset.dtypes[0]}; expected red, green, blue bytes")
        return dataset.width, dataset.height


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a map's file, whose missing georeference is as published; raises DataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # the table places the map
            dataset = rasterio.open(path)
        with dataset:
            yield dataset
    except RasterioError as error:
        raise DataError(f"{path} cannot be read as a map: {error}; fetch it again") from None
