"""Maps whose coordinates cannot be right: refused before a pixel is read, in one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform

from runtime.geo.mercator import LatLon, to_metres
from runtime.maps.georeference import mercator_box
from runtime.tiles.__main__ import main as tiles

SIDE_PX = 80
SITE = 'LOCAL_CS["site",UNIT["metre",1]]'
BESSEL = "+proj=longlat +ellps=bessel"


def write_map(path: Path, crs: str, west: float, north: float, step: float) -> Path:
    place = {"crs": crs, "transform": rasterio.Affine(step, 0, west, 0, -step, north)}
    picture = np.random.default_rng(0).integers(20, 250, (3, SIDE_PX, SIDE_PX), np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", height=SIDE_PX, width=SIDE_PX, count=3, dtype="uint8", **place
    ) as file:
        file.write(picture)
    return path


@pytest.mark.parametrize(
    ("crs", "west", "north", "step", "said"),
    [
        (SITE, 1000, 2000, 0.5, "its CRS site is a local one"),
        ("EPSG:4326", 440_000, 5_261_000, 0.5, "its CRS EPSG:4326 is a local one, or its coordinates are of another"),
        ("EPSG:32632", 8.2, 47.5, 4e-6, "m a pixel by its CRS EPSG:32632, expected 0.001 to 20 m"),
        ("EPSG:3857", 912_819, 6_024_072, 500, "shows 500 m a pixel"),
        ("EPSG:4326", 8.2, 85.0512, 4e-6, "past 85.05 degrees of latitude"),
        ("EPSG:4326", -180.0, 80.0, 4.5, "spans half the world"),
        ("EPSG:3857", 912_819, 6_024_072, float("nan"), "covers no area on Earth"),
        ("EPSG:4214", 116.0, 39.0, 4e-6, "is on the datum Beijing 1954"),
        ("EPSG:4214+5773", 116.0, 39.0, 4e-6, "is on the datum Beijing 1954"),  # with a height
        ("EPSG:3828", 250_000, 2_680_000, 0.5, "is on the datum Taiwan Datum 1967"),
        (BESSEL, 8.2, 47.5, 4e-6, "Bessel 1841"),
    ],
)
def test_a_map_that_cannot_be_placed_is_refused_in_one_line_and_leaves_nothing(
    *, crs: str, west: float, north: float, step: float, said: str, toy_bundle: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    source = write_map(tmp_path / "map.tif", crs, west, north, step)
    command = ["build", "--imagery", str(source), "--bundle", str(toy_bundle), "--out", str(tmp_path / "a.tiles")]
    assert tiles(command) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"runtime.tiles: {source} ")
    assert said in captured.err
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


@pytest.mark.parametrize(
    ("crs", "west", "north", "step"),
    [
        ("EPSG:21781", 600_000, 200_000, 0.3),  # Bessel's ellipsoid, with a shift that PROJ knows
        (BESSEL + " +towgs84=674.374,15.056,405.346", 8.2, 47.5, 4e-6),
        (
            "+proj=utm +zone=32 +ellps=GRS80 +units=m",
            440_000,
            5_261_000,
            0.3,
        ),  # no datum, but one of today's ellipsoids
        ("EPSG:7405", 530_000, 180_000, 0.3),  # with a height
    ],
)
def test_other_datums_are_placed_where_proj_says(
    *, crs: str, west: float, north: float, step: float, tmp_path: Path
) -> None:
    with rasterio.open(write_map(tmp_path / "map.tif", crs, west, north, step)) as dataset:
        box, pixel_m = mercator_box(dataset)
    half = SIDE_PX / 2 * step
    (lon,), (lat,) = transform(crs, "EPSG:4326", [west + half], [north - half])
    middle = to_metres(LatLon(lat, lon))
    assert ((box.west + box.east) / 2, (box.south + box.north) / 2) == pytest.approx(middle, abs=2 * pixel_m)
