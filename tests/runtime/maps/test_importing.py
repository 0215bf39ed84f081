"""Maps as users have them: every pixel must come out where it lies on Earth, and what is missing must stay missing."""

from __future__ import annotations

import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.warp import transform

from runtime.errors import ImageryError
from runtime.geo.bounds import Bounds
from runtime.geo.mercator import TILE_PX, LatLon, Metres, Tile, ground_scale, north_west_of, to_metres
from runtime.maps.imagery import Imagery
from runtime.maps.importing import import_imagery
from runtime.maps.mbtiles import write_mbtiles
from runtime.types import Picture

WIDTH_PX, HEIGHT_PX = 420, 380
DOTS = ((90, 70), (330, 60), (210, 200), (60, 320), (350, 300))  # column, row
GRIDS = {  # CRS, west, north, step x, step y: about a third of a metre a pixel, all near 47.5 N 8.2 E
    "EPSG:3857": (912819.0, 6024072.0, 0.5, 0.5),
    "EPSG:4326": (8.2, 47.5, 4.4e-6, 3.0e-6),
    "EPSG:32632": (439700.0, 5261000.0, 0.33, 0.33),
}


def ground(rng_seed: int = 0) -> Picture:
    """Soft grey-green land with bright dots of 7 pixels at DOTS."""
    noise = np.random.default_rng(rng_seed).normal(0, 40, (HEIGHT_PX, WIDTH_PX, 3))
    land = 100 + cv2.GaussianBlur(noise, (0, 0), 4)
    for column, row in DOTS:
        land[row - 3 : row + 4, column - 3 : column + 4] = 250
    return np.clip(land, 20, 250).astype(np.uint8)


def write_map(path: Path, picture: Picture, crs: str | None = "EPSG:3857", **profile: Any) -> Path:
    west, north, dx, dy = GRIDS[crs or "EPSG:3857"]
    place = {"crs": crs, "transform": rasterio.Affine(dx, 0, west, 0, -dy, north)} if crs else {}
    shape = {"height": picture.shape[0], "width": picture.shape[1], "count": picture.shape[2], "dtype": picture.dtype}
    with rasterio.open(path, "w", driver="GTiff", **(place | shape | profile)) as file:
        file.write(np.moveaxis(picture, 2, 0))
    return path


def place_of(column: float, row: float, crs: str = "EPSG:3857") -> LatLon:
    """Return the place of a pixel's centre, by PROJ."""
    west, north, dx, dy = GRIDS[crs]
    (lon,), (lat,) = transform(crs, "EPSG:4326", [west + (column + 0.5) * dx], [north - (row + 0.5) * dy])
    return LatLon(lat, lon)


def imported(source: Path, tmp_path: Path) -> Imagery:
    return import_imagery(
        source, tmp_path / "out.mbtiles", name="n", date="2024-05-01", attribution="us", tick=lambda done, total: None
    )


def around(imagery: Imagery, place: LatLon, side_px: int = 41) -> tuple[Picture, NDArray[np.bool_]]:
    """The window about a place, a native pixel a pixel."""
    return imagery.window(to_metres(place), side_px * imagery.metres_per_px, side_px)


def brightest(picture: Picture) -> NDArray[np.float64]:
    """Centroid (column, row) of the light."""
    light = np.clip(picture.min(axis=2).astype(float) - 160, 0, None)
    rows, columns = np.mgrid[: len(picture), : len(picture)]
    return np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()


@pytest.mark.parametrize("crs", GRIDS)
def test_landmarks_lie_where_proj_says_in_any_crs(crs: str, tmp_path: Path) -> None:
    imagery = imported(write_map(tmp_path / "map.tif", ground(), crs), tmp_path)
    for dot in DOTS:
        picture, seen = around(imagery, place_of(*dot, crs))
        assert seen.all()
        assert np.hypot(*(brightest(picture) - 20)) < 0.5


@pytest.mark.parametrize("side_px", [15, 40, 97, 300])
def test_a_landmark_stays_in_the_middle_at_any_resolution(side_px: int, tmp_path: Path) -> None:
    imagery = imported(write_map(tmp_path / "map.tif", ground()), tmp_path)
    picture, seen = imagery.window(to_metres(place_of(210, 200)), 30.0, side_px)
    assert picture.shape == (side_px, side_px, 3)
    assert seen.all()
    assert np.hypot(*(brightest(picture) - (side_px - 1) / 2)) * 30.0 / side_px < 0.5 * imagery.metres_per_px


def test_a_grey_map_is_read_as_grey(tmp_path: Path) -> None:
    imagery = imported(write_map(tmp_path / "map.tif", ground()[..., :1]), tmp_path)
    picture, _ = around(imagery, place_of(210, 200))
    assert np.ptp(picture.astype(int), axis=2).max() <= 3
    assert np.hypot(*(brightest(picture) - 20)) < 0.5


def with_hole(picture: Picture, value: int) -> Picture:
    holed = picture.copy()
    holed[:, :120] = value
    return holed


def rgba(picture: Picture, left: int) -> Picture:
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:, :left] = 0
    return np.dstack([picture, alpha])


@pytest.mark.parametrize(
    ("picture", "profile"),
    [
        (with_hole(ground(), 0), {"nodata": 0}),
        (with_hole(ground(), 255), {"nodata": 255}),
        (with_hole(ground(), 3), {}),  # the collar that JPEG leaves where no nodata value is set
        (rgba(ground(), 120), {"photometric": "RGB", "alpha": "yes"}),
    ],
    ids=["nodata 0", "nodata 255", "black collar", "alpha"],
)
def test_what_a_map_does_not_have_is_not_seen(picture: Picture, profile: dict[str, Any], tmp_path: Path) -> None:
    imagery = imported(write_map(tmp_path / "map.tif", picture, **profile), tmp_path)
    _, seen = around(imagery, place_of(120, 200), 61)  # the hole's edge in the middle
    assert not seen[:, :28].any()
    assert seen[:, 33:].all()
    beyond, nothing = imagery.window(to_metres(LatLon(47.6, 8.4)), 50.0, 20)
    assert not nothing.any()
    assert beyond.shape == (20, 20, 3)


def test_near_infrared_is_not_taken_for_a_mask(tmp_path: Path) -> None:
    near_infrared = np.zeros((HEIGHT_PX, WIDTH_PX, 1), np.uint8)  # dark water: no hole in the map
    imagery = imported(
        write_map(tmp_path / "naip.tif", np.dstack([ground(), near_infrared]), photometric="RGB", alpha="no"), tmp_path
    )
    _, seen = around(imagery, place_of(210, 200))
    assert seen.all()


def test_small_dark_spots_are_shadows_and_stay(tmp_path: Path) -> None:
    picture = ground()
    picture[190:200, 100:110] = 0
    imagery = imported(write_map(tmp_path / "map.tif", picture), tmp_path)
    assert around(imagery, place_of(105, 195))[1].all()


@pytest.mark.parametrize(
    ("picture", "crs", "said"),
    [
        (ground(), None, "no CRS"),
        (ground().astype(np.uint16) * 256, "EPSG:3857", "uint16"),
        (np.dstack([ground(), ground()[..., :2]]), "EPSG:3857", "5 bands"),
        (np.zeros_like(ground()), "EPSG:3857", "nothing"),
    ],
)
def test_a_map_that_cannot_be_used_says_why_and_leaves_nothing(
    picture: Picture, crs: str | None, said: str, tmp_path: Path
) -> None:
    if crs is None:
        with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
            source = write_map(tmp_path / "map.tif", picture, None)
    else:
        source = write_map(tmp_path / "map.tif", picture, crs)
    with pytest.raises(ImageryError, match=said):
        imported(source, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


@pytest.mark.parametrize("content", [b"", b"II*\0 no picture", b"SQLite format 3\0" + b"x" * 500])
@pytest.mark.parametrize("name", ["map.tif", "map.mbtiles"])
def test_a_file_that_is_no_map_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageryError, match=name):
        imported(tmp_path / name, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def tile_picture(shade: int) -> Picture:
    return np.full((TILE_PX, TILE_PX, 3), (shade, 90, 200 - shade), np.uint8)


def test_an_xyz_folder_is_read_at_its_deepest_zoom_with_gaps_where_tiles_are_missing(tmp_path: Path) -> None:
    folder = tmp_path / "xyz"
    tiles = {(17, 68522, 45888): 10, (18, 137044, 91776): 60, (18, 137045, 91776): 120, (18, 137045, 91777): 180}
    for (z, x, y), shade in tiles.items():
        (folder / f"{z}/{x}").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{z}/{x}/{y}.png"), tile_picture(shade)[..., ::-1])
    imagery = imported(folder, tmp_path)
    assert imagery.zoom == 18
    for z, x, y in tiles:
        if z == 18:
            corner, opposite = north_west_of(Tile(z, x, y)), north_west_of(Tile(z, x + 1, y + 1))
            centre = Metres((corner.x + opposite.x) / 2, (corner.y + opposite.y) / 2)
            picture, seen = imagery.window(centre, 20.0, 10)
            assert seen.all()
            assert np.abs(picture[5, 5].astype(int) - tile_picture(tiles[z, x, y])[0, 0]).max() <= 3
    gap = north_west_of(Tile(18, 137044, 91777))
    assert not imagery.window(Metres(gap.x + 70, gap.y - 70), 20.0, 10)[1].any()


@pytest.mark.parametrize(
    ("path", "content"),
    [("18/137044/91776.png", b""), ("18/137044/91776.png", b"no png"), ("18/137044/a.png", None), ("18/b/1.png", None)],
)
def test_a_broken_xyz_tile_is_named(path: str, content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "xyz" / path
    file.parent.mkdir(parents=True)
    if content is None:
        cv2.imwrite(str(file), tile_picture(90))
    else:
        file.write_bytes(content)
    with pytest.raises(ImageryError, match=file.name):
        imported(tmp_path / "xyz", tmp_path)
    assert not (tmp_path / "out.mbtiles").exists()


@pytest.mark.parametrize("folders", [(), ("roads",), ("18",)])
def test_a_folder_without_tiles_is_refused(folders: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "xyz").mkdir()
    for name in folders:
        (tmp_path / "xyz" / name).mkdir()
    with pytest.raises(ImageryError):
        imported(tmp_path / "xyz", tmp_path)


def test_mbtiles_pass_through_byte_by_byte(tmp_path: Path) -> None:
    source = tmp_path / "area.mbtiles"
    seen = np.ones((TILE_PX, TILE_PX), bool)
    write_mbtiles(source, [(Tile(18, 137044, 91776), tile_picture(70), seen)], {"name": "a", "date": "2020-01-01"})
    imagery = imported(source, tmp_path)
    assert imagery.path.read_bytes() == source.read_bytes()
    assert imagery.metadata["date"] == "2024-05-01"  # what the command says goes before the file
    assert imagery.metadata["name"] == "a"


def test_a_tile_that_the_database_spoils_is_named_when_it_is_read(tmp_path: Path) -> None:
    source = tmp_path / "area.mbtiles"
    seen = np.ones((TILE_PX, TILE_PX), bool)
    write_mbtiles(source, [(Tile(18, 137044, 91776), tile_picture(70), seen)], {})
    for spoilt in (b"", b"\xff\xd8 half a picture", None):
        with sqlite3.connect(source) as db:
            db.execute("UPDATE tiles SET tile_data = ?", (spoilt,))
        db.close()
        imagery = Imagery(source)
        with pytest.raises(ImageryError, match="18/137044/91776"):
            imagery.window(to_metres(imagery.bounds.centre), 20.0, 10)
        imagery.close()


@pytest.mark.parametrize("side_m", [400.0, 2_000.0, 15_000.0, 4_000_000.0])
def test_a_window_far_larger_than_the_map_shows_it_in_its_place_at_no_great_cost(side_m: float, tmp_path: Path) -> None:
    imagery = imported(write_map(tmp_path / "map.tif", ground()), tmp_path)
    west, north, dx, dy = GRIDS["EPSG:3857"]
    middle = Metres(west + WIDTH_PX * dx / 2, north - HEIGHT_PX * dy / 2)
    tracemalloc.start()
    picture, seen = imagery.window(Metres(middle.x + side_m / 4, middle.y - side_m / 4), side_m, 64)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 50e6
    assert picture.shape == (64, 64, 3)
    step = side_m / 64
    expected_px = WIDTH_PX * dx * HEIGHT_PX * dy / step**2
    rim_px = 2 + (WIDTH_PX * dx + HEIGHT_PX * dy) * 2 / step  # pixels that show it in part are not seen
    assert expected_px - rim_px <= seen.sum() <= expected_px
    if seen.any():
        rows, columns = np.nonzero(seen)
        assert (columns.mean(), rows.mean()) == pytest.approx((15.5, 15.5), abs=1.0)
        assert abs(float(picture[seen].mean()) - 100) < 20


def test_ground_metres_are_ground_metres_at_high_latitude(tmp_path: Path) -> None:
    """Two marks 60 m apart on the ground at 69 N are 60 / 80 of a window of 80 ground metres apart."""
    corner = to_metres(LatLon(69.0, 18.0))
    scale = ground_scale(69.0)
    picture = np.full((300, 300, 3), 90, np.uint8)
    for column in (60, 210):  # 150 pixels of 0.4 ground metres
        picture[147:154, column - 3 : column + 4] = 250
    path = tmp_path / "north.tif"
    profile = {"crs": "EPSG:3857", "transform": rasterio.Affine(0.4 / scale, 0, corner.x, 0, -0.4 / scale, corner.y)}
    with rasterio.open(path, "w", driver="GTiff", height=300, width=300, count=3, dtype="uint8", **profile) as file:
        file.write(np.moveaxis(picture, 2, 0))
    imagery = imported(path, tmp_path)
    middle = Metres(corner.x + 135.5 * 0.4 / scale, corner.y - 150.5 * 0.4 / scale)
    window, _ = imagery.window(middle, 80.0 / scale, 400)
    columns = np.nonzero(window[200, :, 0] > 170)[0]
    assert columns[-1] - columns[0] == pytest.approx(400 * (60 + 7 * 0.4) / 80, abs=3)


def test_bounds_are_those_of_the_tiles(tmp_path: Path) -> None:
    seen = np.ones((TILE_PX, TILE_PX), bool)
    tiles = [Tile(18, 137044, 91776), Tile(18, 137046, 91775)]
    write_mbtiles(tmp_path / "a.mbtiles", [(t, tile_picture(9), seen) for t in tiles], {"bounds": "0,0,1,1"})
    imagery = Imagery(tmp_path / "a.mbtiles")
    low, high = north_west_of(Tile(18, 137044, 91777)), north_west_of(Tile(18, 137047, 91775))
    assert imagery.bounds == Bounds(low.x, low.y, high.x, high.y)
    imagery.close()
