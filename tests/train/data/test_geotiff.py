"""A window of a GeoTIFF in any CRS shows what lies where its coordinates say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from rasterio.warp import transform

from runtime.geo.mercator import LatLon
from tests.train.data.maps import CENTRE, GSD_M, write_map
from train.data.geotiff import GeoMap


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:3857", "EPSG:4326"])
@pytest.mark.parametrize("finest_m", [0.25, 1.0])
def test_a_window_shows_a_dot_where_its_coordinates_are(crs: str, finest_m: float, tmp_path: Path) -> None:
    picture = np.full((800, 1000, 3), 70, np.uint8)
    cv2.circle(picture, (300, 500), 5, (250, 250, 250), -1)
    found = GeoMap.open(write_map(tmp_path / "map.tif", picture, crs))
    ((x,), (y,)) = transform("EPSG:4326", "EPSG:32633", [CENTRE.lon], [CENTRE.lat])
    dot_xy = x + (300.5 - 500) * GSD_M, y + (400 - 500.5) * GSD_M
    ((lon,), (lat,)) = transform("EPSG:32633", "EPSG:4326", *([value] for value in dot_xy))
    dot, centre = found.to_plane([LatLon(lat, lon), CENTRE])[:, None]
    assert np.hypot(*(dot - centre)[0]) == pytest.approx(GSD_M * np.hypot(199.5, 100.5), rel=0.003)  # UTM's 1.002 here
    middle = dot[0] + (12.0, -7.0)
    window = found.window(found.pixels_from_plane(dot)[0], middle, 30.0, finest_m)
    assert window is not None
    light = np.clip(window.picture[..., 1].astype(float) - 150, 0, None) * window.seen
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
    at = np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()
    want = (window.pixel_from_plane @ (*dot[0], 1.0))[:2]
    assert np.hypot(*(at - want)) * window.gsd_m < 0.2
    assert window.gsd_m == pytest.approx(max(found.gsd_m, finest_m))
