"""Hills for a generated world to lie on, and the terrain model that a user would have of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from runtime.files import whole_file
from runtime.geo.mercator import ground_scale, to_metres
from runtime.geo.terrain import Terrain
from train.world.flight import GROUND_MSL_M, NORTH_WEST, FlightSpec

_STEP_M = 5.0
_RIM_M = 200.0  # around the world: its map is one of whole tiles
_ACROSS_M = 250.0, 400.0  # a hill and a valley


def draw_hills(spec: FlightSpec, relief_m: float) -> Terrain:
    """Draw three waves over the world of a flight, ``relief_m`` from the lowest place to the highest.

    Places are metres east and north of the map's north-west corner.
    """
    rng = np.random.default_rng((spec.seed, 40))
    east = np.arange(-_RIM_M, spec.width_m + _RIM_M, _STEP_M)
    south = np.arange(-_RIM_M, spec.height_m + _RIM_M, _STEP_M)[:, None]
    up = np.zeros((len(south), len(east)))
    for angle in rng.uniform(0, 2 * np.pi, 3):
        along_m = east * np.cos(angle) + south * np.sin(angle)
        up += np.sin(2 * np.pi * along_m / rng.uniform(*_ACROSS_M) + rng.uniform(0, 2 * np.pi))
    height_m = GROUND_MSL_M + relief_m * (up - up.min()) / np.ptp(up)
    return Terrain(height_m.astype(np.float32), (-_RIM_M, _RIM_M), (_STEP_M, _STEP_M))


def write_dem(path: Path, terrain: Terrain) -> None:
    """Write a GeoTIFF of heights in Web Mercator."""
    corner, scale = to_metres(NORTH_WEST), ground_scale(NORTH_WEST.lat)
    west, north = (at / scale for at in terrain.north_west_en_m)
    step = terrain.step_en_m[0] / scale
    transform = rasterio.Affine(step, 0.0, corner.x + west - step / 2, 0.0, -step, corner.y + north + step / 2)
    rows, columns = terrain.height_m.shape
    profile = {"driver": "GTiff", "width": columns, "height": rows, "count": 1, "dtype": "float32"}
    with (
        whole_file(path) as partial,
        rasterio.open(partial, "w", crs="EPSG:3857", transform=transform, compress="deflate", **profile) as file,
    ):
        file.write(terrain.height_m.astype(np.float32), 1)
