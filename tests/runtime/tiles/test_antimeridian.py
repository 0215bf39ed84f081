"""Maps across the 180th meridian: placed, cut, built, searched and cropped as any other."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.warp import transform

from runtime.geo.local import LocalFrame, distance_m, short_way_deg
from runtime.geo.mercator import HALF_WORLD_M, LatLon, to_metres
from runtime.maps.imagery import Imagery
from runtime.maps.importing import import_imagery
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache

SIDE_PX = 700
MIDDLE = LatLon(-16.8, 180.0)  # Taveuni, Fiji
DOTS = ((100, 120), (345, 350), (600, 90), (352, 600))  # column, row; two of them within pixels of the meridian


def write_map(path: Path, crs: str, step: float, middle_lon: float = 180.0) -> rasterio.Affine:
    """A map of some 0.5 m a pixel with its middle on the meridian, bright dots at DOTS."""
    (x,), (y,) = transform("EPSG:4326", crs, [MIDDLE.lon], [MIDDLE.lat])
    if crs == "EPSG:4326":
        x = middle_lon
    place = rasterio.Affine(step, 0, x - SIDE_PX / 2 * step, 0, -step, y + SIDE_PX / 2 * step)
    noise = np.random.default_rng(0).normal(0, 40, (SIDE_PX, SIDE_PX, 3))
    land = np.clip(100 + cv2.GaussianBlur(noise, (0, 0), 4) * 4, 20, 160).astype(np.uint8)
    for column, row in DOTS:
        land[row - 3 : row + 4, column - 3 : column + 4] = 250
    with rasterio.open(
        path, "w", driver="GTiff", height=SIDE_PX, width=SIDE_PX, count=3, dtype="uint8", crs=crs, transform=place
    ) as file:
        file.write(np.moveaxis(land, 2, 0))
    return place


def brightest(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    light = np.clip(picture.min(axis=2).astype(float) - 190, 0, None)
    rows, columns = np.mgrid[: len(picture), : len(picture)]
    return np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()


@pytest.mark.parametrize(
    ("crs", "step", "middle"),
    [
        ("EPSG:4326", 4.5e-6, 180.0),
        ("EPSG:4326", 4.5e-6, -180.0),
        ("EPSG:32601", 0.5, 180.0),
        ("EPSG:32660", 0.5, 180.0),
        ("EPSG:3832", 0.5, 180.0),
    ],
)
def test_landmarks_on_both_sides_lie_where_proj_says(crs: str, step: float, middle: float, tmp_path: Path) -> None:
    place = write_map(tmp_path / "map.tif", crs, step, middle)
    imagery = import_imagery(
        tmp_path / "map.tif", tmp_path / "a.mbtiles", name="", date="", attribution="", tick=lambda done, total: None
    )
    assert imagery.bounds.west < HALF_WORLD_M < imagery.bounds.east < HALF_WORLD_M + 1000
    west, _, east, _ = imagery.bounds.as_degrees()
    assert 179.99 < west < 180.0 < east < 180.01
    assert distance_m(imagery.bounds.centre, MIDDLE) < 150
    for column, row in DOTS:
        x, y = place @ (column + 0.5, row + 0.5)
        (lon,), (lat,) = transform(crs, "EPSG:4326", [x], [y])
        for turned in (short_way_deg(lon), short_way_deg(lon) % 360):  # either name of a place
            picture, seen = imagery.window(to_metres(LatLon(lat, turned)), 41 * imagery.metres_per_px, 41)
            assert seen.all()
            assert np.hypot(*(brightest(picture) - 20)) < 0.8


@pytest.fixture
def fiji(toy_bundle: Path, tmp_path: Path) -> Path:
    write_map(tmp_path / "map.tif", "EPSG:32601", 0.5)
    out = tmp_path / "fiji.tiles"
    assert main(["build", "--imagery", str(tmp_path / "map.tif"), "--bundle", str(toy_bundle), "--out", str(out),
                 "--footprints", "45"]) == 0  # fmt: skip
    return out


def test_a_cache_across_the_meridian_is_built_verified_searched_and_cropped(
    fiji: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    cache = TileCache.open(fiji)
    lon = cache.centre[:, 1]
    assert (np.abs(lon) > 179.99).all()
    assert 0.3 < (lon > 0).mean() < 0.7, "half of the tiles on each side"
    assert main(["verify", str(fiji), "--bundle", str(toy_bundle)]) == 0
    crop = tmp_path / "crop.tiles"
    assert main(["crop", str(fiji), "--around", f"{MIDDLE.lat},-179.9998,40", "--out", str(crop)]) == 0
    kept = TileCache.open(crop)
    assert {True, False} == set((kept.centre[:, 1] > 0).tolist())
    frame, half_m = LocalFrame(LatLon(MIDDLE.lat, -179.9998)), 45 / 2
    beyond_m = [np.clip(np.abs(frame.to_en(LatLon(*place))) - half_m, 0, None) for place in cache.centre]
    near = [math.hypot(*beyond) <= 40 for beyond in beyond_m]  # a loop over places, either side of the meridian
    assert kept.centre.tolist() == cache.centre[near].tolist()
    assert main(["verify", str(crop), "--bundle", str(toy_bundle)]) == 0
    assert main(["info", str(crop), "--map", str(tmp_path / "cover.png")]) == 0
    drawn = cv2.imread(str(tmp_path / "cover.png"))
    assert drawn[260, 200].mean() > 60 and drawn[260, 280].mean() > 60, "covered on both sides of its middle"


def test_a_map_of_tiles_begins_after_its_widest_gap(fiji: Path, tmp_path: Path) -> None:
    imagery = Imagery(fiji.with_suffix(".mbtiles"))
    low, high = imagery.corners
    world = 1 << imagery.zoom
    assert low.x < world <= high.x
    assert high.x - low.x < 10
    frame = LocalFrame(imagery.bounds.centre)
    assert abs(frame.to_en(MIDDLE)[0]) < 100
    stored = [TileCache.open(fiji).metadata.imagery.corners]
    assert stored == [(imagery.zoom, low.x, low.y, high.x, high.y)]
