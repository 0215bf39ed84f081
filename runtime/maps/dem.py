"""A terrain model as users have it, a GeoTIFF of heights, resampled to a lattice over the map. Not run in flight."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageryError
from runtime.files import sha256_of
from runtime.geo.bounds import Bounds
from runtime.geo.mercator import HALF_WORLD_M, TILE_PX, ground_scale
from runtime.maps.georeference import mercator_box, warping
from runtime.maps.heights import DemSource, Heights, Nodes, fill_gaps, nodes_over
from runtime.maps.imagery import Imagery
from runtime.maps.importing import geotiff_errors, open_raster

FINEST_M = 5.0  # between nodes: finer are walls and hedges
_COARSEST_M = 1000.0  # a DEM's pixel: coarser tells nothing of a hill
_MOST_NODES = 1 << 26  # of one cache, a quarter of a gigabyte
_EARTH_M = (-500.0, 9000.0)  # the Dead Sea's shore and Everest


def read_dem(source: Path, imagery: Imagery) -> Heights:
    """Read the heights over a map; raises ImageryError where they do not cover it, or cannot be heights in metres.

    Gaps up to the side of one of the map's tiles are filled with the nearest height: the map's box is one of whole
    tiles, beyond the user's map.
    """
    bounds = imagery.bounds
    with open_raster(source) as dataset, geotiff_errors(source):
        _check(source, dataset)
        _, pixel_m = mercator_box(dataset, coarsest_m=_COARSEST_M)
        cells = _cells(pixel_m, bounds)
        step_m = 2 * HALF_WORLD_M / cells
        nodes = nodes_over(bounds, step_m)
        height_m = _warped(dataset, bounds, nodes, step_m)
    known = np.isfinite(height_m)
    if known.any():
        _check_range(source, height_m[known])
    rim = TILE_PX * imagery.metres_per_px / step_m + 2
    whole, away = fill_gaps(height_m) if known.any() else (height_m, math.inf)
    if away > rim:
        off = f", up to {away * step_m * ground_scale(bounds.centre.lat):.0f} m from where there is one"
        raise ImageryError(
            f"{source} does not cover the map: {1 - known.mean():.1%} of it has no height{off if known.any() else ''}; "
            f"give a DEM of the whole map, or fill its gaps: gdal_fillnodata.py {source} FILLED.tif"
        )
    return Heights(whole, cells, nodes.top, nodes.left, (DemSource(source.stem, sha256_of(source)),))


def _cells(pixel_m: float, bounds: Bounds) -> int:
    """Choose how many nodes lie around the Earth: no closer than pixels, and the same for all pieces of a DEM."""
    area = (bounds.east - bounds.west) * (bounds.north - bounds.south)
    least_m = max(pixel_m, FINEST_M / ground_scale(bounds.centre.lat), math.sqrt(area / _MOST_NODES))
    cells = int(2 * HALF_WORLD_M / least_m)
    return cells - cells % (1 << max(cells.bit_length() - 4, 0))


def _warped(dataset: Any, bounds: Bounds, nodes: Nodes, step_m: float) -> NDArray[np.float32]:
    """Resample the DEM to the nodes, (rows, columns); NaN where it has nothing."""
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    crs, east_m = warping(dataset, bounds)
    corner = (nodes.left - 0.5) * step_m - east_m, (0.5 - nodes.top) * step_m  # nodes are the pixels' middles
    options = {
        **crs,
        "transform": Affine(step_m, 0.0, corner[0], 0.0, -step_m, corner[1]),
        "height": nodes.rows,
        "width": nodes.columns,
        "resampling": Resampling.bilinear,  # which GDAL widens where nodes are further apart than pixels
        "dtype": "float32",
        "src_nodata": dataset.nodata if dataset.nodata is not None else math.nan,
        "nodata": math.nan,
    }
    with WarpedVRT(dataset, **options) as warped:
        return np.asarray(warped.read(1), np.float32)


def _check(source: Path, dataset: Any) -> None:
    if dataset.count != 1:
        raise ImageryError(f"{source} has {dataset.count} bands, expected heights alone: gdal_translate -b 1")
    unit = (dataset.units[0] or "metre").lower()
    if unit not in {"m", "metre", "meter", "metres", "meters"}:
        raise ImageryError(f"{source} has heights in {unit}, expected metres: gdal_calc.py --calc='A*0.3048'")


def _check_range(source: Path, height_m: NDArray[np.float32]) -> None:
    low, high = float(height_m.min()), float(height_m.max())
    if not (_EARTH_M[0] <= low and high <= _EARTH_M[1]):
        raise ImageryError(
            f"{source} has heights from {low:g} to {high:g}, expected metres from {_EARTH_M[0]:g} to {_EARTH_M[1]:g}; "
            f"state what stands for none: gdal_edit.py -a_nodata {low:g} {source}"
        )
