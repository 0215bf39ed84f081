"""A map as a GeoTIFF of any size and CRS, in metres on a plane of its own; only windows of it are read."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rasterio.enums import MaskFlags, Resampling
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window

from runtime.geo.mercator import LatLon
from runtime.maps.importing import black_collar, colour_bands, geotiff_errors, open_geotiff
from runtime.model.preprocess import FILL
from runtime.progress import progress
from runtime.types import FloatArray, Mask, Picture

_PROBE_M = 10.0  # over which the way from the plane to pixels is taken as straight
_STRIP_PX = 64
_OVERVIEW_PX = 4096  # longest side of the whole map at its coarsest


class RasterWindow(NamedTuple):
    """A part of a map that has been read; what the map does not have is ``FILL`` grey in it."""

    picture: Picture  # (H, W, 3)
    seen: Mask  # (H, W)
    pixel_from_plane: FloatArray  # (3, 3)
    gsd_m: float


@dataclass(frozen=True)
class GeoMap:
    """A map whose places are metres east and north of its middle (azimuthal equidistant on WGS 84)."""

    path: Path
    plane: str  # the same, for PROJ
    gsd_m: float
    box_m: tuple[float, float, float, float]  # west, south, east, north

    @classmethod
    def open(cls, path: Path) -> GeoMap:
        """Open a map and measure it; raises ImageryError."""
        dataset = _dataset(path)
        middle = dataset.transform @ (dataset.width / 2, dataset.height / 2)
        lon, lat = (values[0] for values in transform(dataset.crs, "EPSG:4326", *([value] for value in middle)))
        plane = f"+proj=aeqd +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"
        box_m = transform_bounds(dataset.crs, plane, *dataset.bounds)
        (pixel_from_plane,) = _pixels_from_plane(dataset, plane, np.zeros((1, 2)))
        return cls(path, plane, 1 / math.sqrt(abs(np.linalg.det(pixel_from_plane[:2, :2]))), box_m)

    def to_plane(self, places: Sequence[LatLon]) -> FloatArray:  # (N, 2)
        """Return places as metres east and north of the map's middle."""
        lat, lon = zip(*places, strict=True)
        return np.column_stack(transform("EPSG:4326", self.plane, lon, lat))

    def pixels_from_plane(self, points: FloatArray) -> FloatArray:  # (N, 2) -> (N, 3, 3)
        """Return, for each point, the affine to the map's pixels; within a kilometre it bends by centimetres."""
        return _pixels_from_plane(_dataset(self.path), self.plane, points)

    def window(
        self, pixel_from_plane: FloatArray, middle: FloatArray, reach_m: float, finest_m: float
    ) -> RasterWindow | None:
        """Read the square ``reach_m`` to each side of ``middle`` (2,), ``finest_m`` a pixel or as coarse as the map is.

        None where the map has nothing there; raises ImageryError.
        """
        corners = middle + reach_m * np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
        at = corners @ pixel_from_plane[:2, :2].T + pixel_from_plane[:2, 2] + 0.5
        dataset = _dataset(self.path)
        low, high = (
            np.clip(edge, 0, (dataset.width, dataset.height)).astype(int) for edge in (at.min(0), at.max(0) + 1)
        )
        if (high <= low).any():
            return None
        pixel_m = np.linalg.norm(np.linalg.inv(pixel_from_plane)[:2, :2], axis=0)  # along a row, along a column
        gsd_m = max(finest_m, self.gsd_m)
        columns, rows = np.maximum(np.round((high - low) * pixel_m / gsd_m), 1).astype(int).tolist()
        picture, seen = _read(dataset, (*low, *(high - low)), (columns, rows))
        scale = (columns, rows) / (high - low)
        move = (0.5 - low) * scale - 0.5  # pixel centres are at whole numbers
        shrunk = np.array([[scale[0], 0.0, move[0]], [0.0, scale[1], move[1]], [0.0, 0.0, 1.0]])
        return RasterWindow(picture, seen, shrunk @ pixel_from_plane, gsd_m)

    def seen_around(self, points: FloatArray, side_m: float) -> FloatArray:  # (N, 2) -> (N,)
        """Return how much of a square about each point the map has, 0 to 1, from an overview of the whole map."""
        dataset = _dataset(self.path)
        by = max(1.0, side_m / 8 / self.gsd_m, max(dataset.width, dataset.height) / _OVERVIEW_PX)
        size = max(1, round(dataset.width / by)), max(1, round(dataset.height / by))
        seen = _overview_seen(dataset, size)
        across = max(1, round(side_m / self.gsd_m / by)) | 1
        share = cv2.blur(seen.astype(np.float32), (across, across), borderType=cv2.BORDER_CONSTANT)
        pixels = _pixels_from_plane(dataset, self.plane, points)
        at = np.einsum("nij,nj->ni", pixels, np.column_stack([points, np.ones(len(points))]))[:, :2]
        x, y = ((at + 0.5) / by - 0.5).round().astype(int).T
        inside = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
        return np.where(inside, share[y.clip(0, size[1] - 1), x.clip(0, size[0] - 1)], 0.0)


def _dataset(path: Path) -> Any:
    """Return this thread's open handle of a map."""
    return _kept_open(path, os.getpid(), threading.get_ident())


@lru_cache(maxsize=64)
def _kept_open(path: Path, _process: int, _thread: int) -> Any:
    """Open a handle for one process and thread, as GDAL wants; it keeps blocks that it decoded."""
    return open_geotiff(path)


def _pixels_from_plane(dataset: Any, plane: str, points: FloatArray) -> FloatArray:  # (N, 2) -> (N, 3, 3)
    """Return local affines, pixel centres at whole numbers."""
    probes = points[:, None] + np.array([[0.0, 0.0], [_PROBE_M, 0.0], [0.0, _PROBE_M]])  # (N, 3, 2)
    xs, ys = transform(plane, dataset.crs, *probes.reshape(-1, 2).T.tolist())
    to_pixel = np.array(~dataset.transform).reshape(3, 3)
    pixels = (np.column_stack([xs, ys, np.ones(len(xs))]) @ to_pixel.T)[:, :2].reshape(-1, 3, 2) - 0.5
    affines = np.zeros((len(points), 3, 3))
    affines[:, :2, 0] = (pixels[:, 1] - pixels[:, 0]) / _PROBE_M
    affines[:, :2, 1] = (pixels[:, 2] - pixels[:, 0]) / _PROBE_M
    affines[:, :2, 2] = pixels[:, 0] - np.einsum("nij,nj->ni", affines[:, :2, :2], points)
    affines[:, 2, 2] = 1.0
    return affines


def _overview_seen(dataset: Any, size: tuple[int, int]) -> Mask:
    """Return what the map has, shrunk to a width and a height.

    In strips, since a map without overviews is read whole here.
    """
    edges = np.linspace(0, size[1], -(-size[1] // _STRIP_PX) + 1).astype(int)
    in_map = np.round(edges * (dataset.height / size[1])).astype(int)
    strips = []
    with progress("map") as tick:
        for k, (top, bottom) in enumerate(pairwise(in_map.tolist())):
            shape = size[0], int(edges[k + 1] - edges[k])
            strips.append(_read(dataset, (0, top, dataset.width, bottom - top), shape)[1])
            tick(k + 1, len(edges) - 1)
    return np.concatenate(strips)


def _read(dataset: Any, box_px: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[Picture, Mask]:
    """Read a box (column, row, width, height) of the map, shrunk by area or from overviews to a width and a height."""
    box, shape = Window(*box_px), (size[1], size[0])
    bands = colour_bands(dataset)
    whole = all(flags == [MaskFlags.all_valid] for flags in dataset.mask_flag_enums)
    with geotiff_errors(Path(dataset.name)):
        pixels = dataset.read(bands, window=box, out_shape=(3, *shape), resampling=Resampling.average)
        mask = None if whole else dataset.dataset_mask(window=box, out_shape=shape)
    picture = np.asarray(cv2.merge(list(pixels)), np.uint8)
    seen = ~black_collar(picture) if mask is None else np.asarray(mask > 127, np.bool_)
    if not seen.all():
        picture[~seen] = FILL
    return picture, seen
