"""A GeoTIFF of a picture that a test drew, at a place off the middle of its UTM zone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.warp import calculate_default_transform, reproject, transform

from runtime.geo.mercator import LatLon
from runtime.types import Picture

CENTRE = LatLon(47.5, 8.25)  # 9 degrees off the middle of UTM zone 33: north is not up there
GSD_M = 0.5


def write_map(path: Path, picture: Picture, crs: str = "EPSG:32633", **more: Any) -> Path:
    """``picture`` with its middle at ``CENTRE``, ``GSD_M`` a pixel in UTM, then as it lies in ``crs``."""
    height, width = picture.shape[:2]
    ((x,), (y,)) = transform("EPSG:4326", "EPSG:32633", [CENTRE.lon], [CENTRE.lat])
    west, north = x - width / 2 * GSD_M, y + height / 2 * GSD_M
    from_px = rasterio.Affine(GSD_M, 0, west, 0, -GSD_M, north)
    box = (west, north - height * GSD_M, west + width * GSD_M, north)
    to_px, columns, rows = calculate_default_transform("EPSG:32633", crs, width, height, *box)
    bands = np.zeros((3, rows, columns), np.uint8)
    where = {"src_crs": "EPSG:32633", "src_transform": from_px, "dst_crs": crs, "dst_transform": to_px}
    for source, band in zip(picture.transpose(2, 0, 1), bands, strict=True):
        reproject(np.ascontiguousarray(source), band, **where)
    profile = {"driver": "GTiff", "width": columns, "height": rows, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", **profile, crs=crs, transform=to_px, **more) as file:
        file.write(bands)
    return path
