"""Several maps as one: whose pixels are shown, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.geo.mercator import Metres, Tile, metres_per_px, north_west_of
from runtime.maps.imagery import Imagery
from runtime.maps.mbtiles import write_mbtiles
from runtime.maps.mosaic import MapCredit, write_mosaic
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from runtime.types import Mask, Picture

ZOOM, X, Y = 18, 137_040, 91_776


def silent(done: int, total: int) -> None:
    assert done <= total


def textured(seed: int, tint: tuple[int, int, int]) -> Picture:
    noise = np.random.default_rng(seed).normal(0, 30, (256, 256, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 2) * 3 + tint, 0, 255).astype(np.uint8)


RED, BLUE = (180, 60, 60), (60, 60, 180)


def write(path: Path, tint: tuple[int, int, int], masks: dict[tuple[int, int, int], Mask], date: str) -> Imagery:
    tiles = [(Tile(z, x, y), textured(x + y, tint), mask) for (z, x, y), mask in masks.items()]
    write_mbtiles(path, tiles, {"name": path.stem, "date": date, "attribution": f"of {path.stem}"})
    return Imagery(path)


def redness(imagery: Imagery, tile: Tile) -> tuple[Picture, Mask]:
    """Where a tile of 64 pixels is red; where anything is seen."""
    side_m, corner = 256 * metres_per_px(tile.z), north_west_of(tile)
    picture, seen = imagery.window(Metres(corner.x + side_m / 2, corner.y - side_m / 2), side_m, 64)
    return picture[..., 0].astype(int) > picture[..., 2], seen


WHOLE = np.ones((256, 256), np.bool_)
LEFT = np.zeros((256, 256), np.bool_)
LEFT[:, :128] = True


def test_the_first_map_that_shows_a_place_is_taken_and_others_fill_it(tmp_path: Path) -> None:
    first = write(tmp_path / "a.mbtiles", RED, {(ZOOM, X, Y): WHOLE, (ZOOM, X + 1, Y): LEFT}, "2024")
    second = write(tmp_path / "b.mbtiles", BLUE, {(ZOOM, X + i, Y): WHOLE for i in range(3)}, "2020")
    write_mosaic([first, second], tmp_path / "c.mbtiles", silent)
    both = Imagery(tmp_path / "c.mbtiles")
    assert both.stored(Tile(ZOOM, X, Y)) == first.stored(Tile(ZOOM, X, Y)), "byte by byte, not encoded again"
    assert both.stored(Tile(ZOOM, X + 2, Y)) == second.stored(Tile(ZOOM, X + 2, Y))
    red, seen = redness(both, Tile(ZOOM, X + 1, Y))
    assert seen.all()
    assert red[:, :31].all()
    assert not red[:, 33:].any()


@pytest.mark.parametrize(("zoom", "columns"), [(17, range(-1, 2)), (19, range(-1, 5))])
def test_a_map_of_another_zoom_fills_where_it_lies(zoom: int, columns: range, tmp_path: Path) -> None:
    """A tile of zoom 17 is four of 18; the finer zoom of the two is kept."""
    scale = 2.0 ** (zoom - 18)
    other = {(zoom, int(X * scale) + i, int(Y * scale) + j): WHOLE for i in columns for j in columns}
    parts = [
        write(tmp_path / "a.mbtiles", RED, {(ZOOM, X, Y): WHOLE, (ZOOM, X + 1, Y): LEFT}, ""),
        write(tmp_path / "b.mbtiles", BLUE, other, ""),
    ]
    write_mosaic(parts, tmp_path / "c.mbtiles", silent)
    both = Imagery(tmp_path / "c.mbtiles")
    assert both.zoom == max(zoom, ZOOM)
    red, seen = redness(both, Tile(ZOOM, X + 1, Y))
    assert seen.all()
    assert red[:, :31].all()
    assert not red[:, 33:].any()
    assert not redness(both, Tile(ZOOM, X + 1, Y + 1))[0].any()


def test_each_map_s_date_and_attribution_are_kept(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.mbtiles", RED, {(ZOOM, X, Y): WHOLE, (ZOOM, X + 1, Y): LEFT}, "2024").close()
    write(tmp_path / "b.mbtiles", BLUE, {(ZOOM, X + i, Y): WHOLE for i in range(3)}, "2020").close()
    command = ["build", "--imagery", str(tmp_path / "a.mbtiles"), str(tmp_path / "b.mbtiles"), "--bundle",
               str(toy_bundle), "--footprints", "64", "--stride", "32"]  # fmt: skip
    assert main([*command, "--out", str(tmp_path / "c.tiles"), "--attribution", "us", "them"]) == 0
    wanted = (MapCredit("a", "2024", "us"), MapCredit("b", "2020", "them"))
    assert TileCache.open(tmp_path / "c.tiles").metadata.sources == wanted
    assert not (tmp_path / "c.tiles.building").exists()
    again = ["build", "--imagery", str(tmp_path / "c.mbtiles"), *command[4:], "--out", str(tmp_path / "d.tiles")]
    assert main(again) == 0
    assert TileCache.open(tmp_path / "d.tiles").metadata.sources == wanted, "the map itself says so"
    assert main([*command, "--out", str(tmp_path / "e.tiles"), "--date", "1", "2", "3"]) == 1
    assert "--date was given 3 times for 2 maps" in capsys.readouterr().err


def test_maps_on_two_continents_cost_no_more_than_what_they_show(toy_bundle: Path, tmp_path: Path) -> None:
    """The box of both is half the Earth; what lies between them is neither built nor counted."""
    rows, left_out = [], []
    for name, places in (
        ("here", [(X, Y)]),
        ("there", [(X // 3, 2 * Y // 3)]),
        ("both", [(X, Y), (X // 3, 2 * Y // 3)]),
    ):
        paths = []
        for i, (x, y) in enumerate(places):
            paths.append(tmp_path / f"{name}{i}.mbtiles")
            write(paths[-1], RED, {(ZOOM, x + dx, y + dy): WHOLE for dx in range(2) for dy in range(2)}, "2024").close()
        out = tmp_path / f"{name}.tiles"
        assert main(["build", "--imagery", *map(str, paths), "--bundle", str(toy_bundle), "--footprints", "64",
                     "--out", str(out)]) == 0  # fmt: skip
        cache = TileCache.open(out)
        rows.append(cache.embedding)
        left_out.append(sum(cache.metadata.levels[0].left_out.values()))
    assert min(len(rows[0]), len(rows[1])) > 0
    assert len(rows[2]) >= len(rows[0]) + len(rows[1])
    assert sum(left_out) < 50 * len(rows[2])
