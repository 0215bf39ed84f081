"""What several tests of this room draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.maps.heights import Heights
from runtime.tiles.cache import TileCache

rasterio = pytest.importorskip("rasterio")


NODATA = -9999.0


def height_of(east_m: np.ndarray, north_m: np.ndarray) -> np.ndarray:
    """A tilted plane with a swell of 300 m: what the test's DEMs show."""
    return np.asarray(500.0 + 0.05 * east_m - 0.1 * north_m + 8.0 * np.sin(2 * np.pi * east_m / 300))


def write_dem(path: Path, frame: LocalFrame, *, half_m: float = 400.0, step_m: float = 10.0, crs: str = "EPSG:32632",
              nodata_east_m: float = np.inf, scale: float = 1.0, stated: bool = True) -> Path:  # fmt: skip
    """A GeoTIFF in another CRS than the map's, of a square about the frame's origin."""
    from rasterio.warp import transform

    side = round(2 * half_m / step_m)
    (x,), (y,) = transform("EPSG:4326", crs, [frame.origin.lon], [frame.origin.lat])
    axis = (np.arange(side) + 0.5) * step_m - half_m
    xs, ys = np.meshgrid(x + axis, y - axis)
    lon, lat = transform(crs, "EPSG:4326", xs.ravel(), ys.ravel())
    en = np.array([frame.to_en(LatLon(*place)) for place in zip(lat, lon, strict=True)])
    height = height_of(*en.T) * scale
    height[en[:, 0] > nodata_east_m] = NODATA
    profile = {
        "driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "float32", "crs": crs,
        "transform": rasterio.Affine(step_m, 0, x - half_m, 0, -step_m, y + half_m),
        "nodata": NODATA if stated else None,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(height.reshape(1, side, side).astype(np.float32))
    return path


def command(toy_tiles: Path, toy_bundle: Path, out: Path, dem: Path) -> list[str]:
    return ["build", "--imagery", str(toy_tiles.with_suffix(".mbtiles")), "--bundle", str(toy_bundle), "--out",
            str(out), "--footprints", "32", "45", "--dem", str(dem)]  # fmt: skip


def heights(path: Path) -> Heights:
    held = TileCache.open(path).heights
    assert held is not None
    return held
