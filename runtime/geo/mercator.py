"""Spherical Web Mercator (EPSG:3857): metres, XYZ tiles and the scale between map and ground.

``x`` grows eastwards and ``y`` northwards in metres; tile rows grow southwards from the top of the map.
Source: OGC 17-083r2, annex D.1 (WebMercatorQuad).
"""

from __future__ import annotations

import math
from typing import NamedTuple

RADIUS_M = 6378137.0
HALF_WORLD_M = math.pi * RADIUS_M
MAX_LATITUDE_DEG = 85.05112877980659
TILE_PX = 256


class LatLon(NamedTuple):
    """A place on WGS 84, decimal degrees."""

    lat: float
    lon: float


class Metres(NamedTuple):
    """A place in Web Mercator metres; these are longer than metres on the ground by 1 / cos(lat)."""

    x: float
    y: float


class Tile(NamedTuple):
    """One XYZ tile; ``y`` grows southwards."""

    z: int
    x: int
    y: int


def to_metres(place: LatLon) -> Metres:
    """Return Web Mercator metres of a place; raises ValueError outside the projection (NaN too)."""
    if not (abs(place.lat) <= MAX_LATITUDE_DEG and abs(place.lon) <= 360.0):
        raise ValueError(f"{place} is outside Web Mercator (lat +-{MAX_LATITUDE_DEG:.4f})")
    return Metres(
        math.radians(place.lon) * RADIUS_M,
        math.asinh(math.tan(math.radians(place.lat))) * RADIUS_M,
    )


def to_latlon(point: Metres) -> LatLon:
    """Return the place of a point in Web Mercator metres."""
    return LatLon(math.degrees(math.atan(math.sinh(point.y / RADIUS_M))), math.degrees(point.x / RADIUS_M))


def ground_scale(lat: float) -> float:
    """Return ground metres in one Web Mercator metre at ``lat`` degrees."""
    return math.cos(math.radians(lat))


def metres_per_px(zoom: int) -> float:
    """Return Web Mercator metres in one pixel of a 256-pixel tile at ``zoom``."""
    return 2 * HALF_WORLD_M / (TILE_PX << zoom)


def tile_at(point: Metres, zoom: int) -> Tile:
    """Return the tile that holds ``point``; a point on an edge belongs to the tile south-east of it."""
    side_m = 2 * HALF_WORLD_M / (1 << zoom)
    last = (1 << zoom) - 1
    column = math.floor((point.x + HALF_WORLD_M) / side_m)
    row = math.floor((HALF_WORLD_M - point.y) / side_m)
    return Tile(zoom, min(max(column, 0), last), min(max(row, 0), last))


def north_west_of(tile: Tile) -> Metres:
    """Return the north-west corner of a tile."""
    side_m = 2 * HALF_WORLD_M / (1 << tile.z)
    return Metres(tile.x * side_m - HALF_WORLD_M, HALF_WORLD_M - tile.y * side_m)
