"""What a cache covers, as a picture: the map, and on it the ground that each level's tiles show."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from runtime.geo.mercator import HALF_WORLD_M, LatLon, Metres, to_metres
from runtime.pictures import check_ending, write_picture
from runtime.tiles.cache import TileCache
from runtime.types import Picture

_PANEL_PX = 480
_TITLE_PX = 34
_INK = (28, 28, 32)
_COVERED = np.array([70, 200, 255], np.float32)


def draw_coverage(cache: TileCache, path: Path) -> None:
    """Draw a panel a level: bright is ground at the middle of some tile, dark has none (blank, missing, the rim).

    Raises SettingsError for a path that is no PNG or JPEG, ImageryError or CacheError.
    """
    check_ending(path)
    imagery = cache.open_imagery()
    bounds = imagery.bounds
    middle = Metres((bounds.west + bounds.east) / 2, (bounds.south + bounds.north) / 2)
    side_m = max(bounds.east - bounds.west, bounds.north - bounds.south)
    picture, _ = imagery.window(middle, side_m, _PANEL_PX)
    panels = [_panel(cache, level, picture, middle, side_m / _PANEL_PX) for level in range(len(cache.footprints_m))]
    across = math.ceil(math.sqrt(len(panels)))
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % across)
    whole = np.vstack([np.hstack(panels[i : i + across]) for i in range(0, len(panels), across)])
    write_picture(whole, path)


def _panel(cache: TileCache, level: int, picture: Picture, middle: Metres, metres_per_px: float) -> Picture:
    rows = np.flatnonzero(cache.level == level)
    at = np.array([to_metres(LatLon(*place)) for place in cache.centre[rows].tolist()]).reshape(-1, 2)
    off = at - np.array(middle)
    off[:, 0] = (off[:, 0] + HALF_WORLD_M) % (2 * HALF_WORLD_M) - HALF_WORLD_M  # across the 180th meridian
    pixel = off * (1, -1) / metres_per_px + (_PANEL_PX - 1) / 2
    facts = cache.metadata.levels[level]
    stride_m = facts.stride_m / math.cos(math.radians(float(cache.centre[rows, 0].mean()))) if len(rows) else 0.0
    half_px = max(stride_m / metres_per_px / 2, 0.5)
    covered = np.zeros((_PANEL_PX, _PANEL_PX), np.uint8)
    for x, y in pixel:
        low, high = np.round([x - half_px, y - half_px]).astype(int), np.round([x + half_px, y + half_px]).astype(int)
        cv2.rectangle(covered, tuple(low.tolist()), tuple(high.tolist()), 255, -1)
    share = np.where(covered[..., None] > 0, 0.35, 0.0).astype(np.float32)
    drawn = np.where(covered[..., None] > 0, picture, picture // 3).astype(np.float32) * (1 - share) + _COVERED * share
    title = np.full((_TITLE_PX, _PANEL_PX, 3), 255, np.uint8)
    text = f"{facts.footprint_m:g} m tiles every {facts.stride_m:g} m: {len(rows)}"
    cv2.putText(title, text, (10, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _INK, 1, cv2.LINE_AA)
    return np.vstack([title, drawn.astype(np.uint8)])
