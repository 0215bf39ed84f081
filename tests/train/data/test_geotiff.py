"""A window of a GeoTIFF in any CRS shows what lies where its coordinates say."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.warp import transform

from runtime.errors import ImageryError
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.model.preprocess import FILL
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


def test_the_plane_is_metres_about_the_maps_middle(tmp_path: Path) -> None:
    found = GeoMap.open(write_map(tmp_path / "map.tif", np.full((400, 600, 3), 90, np.uint8), "EPSG:3857"))
    west, south, east, north = found.box_m
    turned = math.radians(6.75 * math.sin(math.radians(47.5)))  # UTM's north against true north, 6.75 degrees off
    wide = 300 * math.cos(turned) + 200 * math.sin(turned), 200 * math.cos(turned) + 300 * math.sin(turned)
    assert (east - west, north - south) == pytest.approx(wide, rel=0.01)
    assert (west + east, south + north) == pytest.approx((0, 0), abs=2.0)
    places = [CENTRE, LatLon(CENTRE.lat + 0.001, CENTRE.lon)]
    middle, above = found.to_plane(places)
    assert np.hypot(*(above - middle)) == pytest.approx(distance_m(*places), abs=0.05)
    assert found.gsd_m == pytest.approx(GSD_M, rel=0.05)


def test_a_window_beyond_the_rim_is_cut_and_one_outside_is_none(tmp_path: Path) -> None:
    found = GeoMap.open(write_map(tmp_path / "map.tif", np.full((400, 600, 3), 90, np.uint8)))
    _, _, east, _ = found.box_m
    at_rim, outside = np.array([east, 0.0]), np.array([east + 200.0, 0.0])
    pixels = found.pixels_from_plane(np.array([at_rim, outside]))
    window = found.window(pixels[0], at_rim, 40.0, 0.5)
    assert window is not None
    assert window.picture.shape[1] < 0.7 * window.picture.shape[0]
    assert found.window(pixels[1], outside, 40.0, 0.5) is None


def test_what_the_map_lacks_is_grey_and_not_seen(tmp_path: Path) -> None:
    picture = np.full((400, 600, 3), 90, np.uint8)
    picture[:, 300:] = 0
    found = GeoMap.open(write_map(tmp_path / "map.tif", picture, nodata=0))
    pixels = found.pixels_from_plane(np.zeros((1, 2)))
    window = found.window(pixels[0], np.zeros(2), 40.0, 0.5)
    assert window is not None
    assert window.seen.mean() == pytest.approx(0.5, abs=0.05)
    assert (window.picture[~window.seen] == FILL).all()
    assert (window.picture[window.seen] == 90).mean() > 0.95


def test_how_much_of_a_square_the_map_has_is_known_from_afar(tmp_path: Path) -> None:
    picture = np.full((800, 800, 3), 90, np.uint8)
    picture[:, 400:] = 0
    found = GeoMap.open(write_map(tmp_path / "map.tif", picture, nodata=0))
    points = np.array([[-100.0, 0.0], [0.0, 0.0], [100.0, 0.0], [5000.0, 0.0]])
    assert found.seen_around(points, 60.0) == pytest.approx([1.0, 0.5, 0.0, 0.0], abs=0.08)


def test_affines_about_a_point_agree_with_the_way_through_the_crs(tmp_path: Path) -> None:
    found = GeoMap.open(write_map(tmp_path / "map.tif", np.full((400, 600, 3), 90, np.uint8), "EPSG:4326"))
    points = np.array([[-80.0, 30.0], [100.0, -60.0]])
    with rasterio.open(found.path) as file:
        for point, affine in zip(points, found.pixels_from_plane(points), strict=True):
            for moved in ((0.0, 0.0), (25.0, -10.0)):
                ((x,), (y,)) = transform(found.plane, file.crs, [point[0] + moved[0]], [point[1] + moved[1]])
                column, row = ~file.transform @ (x, y)
                assert (affine @ (*(point + moved), 1.0))[:2] == pytest.approx((column - 0.5, row - 0.5), abs=0.02)


def test_a_file_that_is_no_map_is_told(tmp_path: Path) -> None:
    (tmp_path / "map.tif").write_text("no map")
    with pytest.raises(ImageryError, match=r"map\.tif"):
        GeoMap.open(tmp_path / "map.tif")
