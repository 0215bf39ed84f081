"""A picture laid on the ground shows what the map shows there; flights of the test are never trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import DataError
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.types import Picture
from tests.train.conftest import draw_place
from tests.train.data.benchmarks.trees import DrawnFlight
from tests.train.data.benchmarks.trees import visloc as visloc_tree
from train.data.__main__ import main
from train.data.benchmarks import visloc
from train.data.benchmarks.visloc_map import FlightMap, MapPart, read_parts
from train.data.benchmarks.visloc_source import lay_on_ground, view_side_m
from train.data.dataset import Item, PairDataset, collate
from train.data.manifest import Choice
from train.data.view_spec import ViewSpec

EXACT = ViewSpec(yaw_error_deg=0.0, altitude_error=0.0, offset=0.0)
TRAIN, VAL = Choice("train"), Choice("val")
NO_ANGLES = "num,filename,date,lat,lon,height"


def _ground(number: int) -> Picture:
    return draw_place(number, 320)[:240]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flights to train on, to test and to select by, and two that cannot be used; not to be written to."""
    flights = [
        DrawnFlight("01", [(160, 120, 0.0), (172, 124, 90.0), (60, 60, 217.0), (5, 5, 0.0)]),
        DrawnFlight("03", [(100, 110, 30.0), (200, 130, -140.0)]),
        DrawnFlight("05", [(160, 120, 0.0)], height_m=2310.0),
        DrawnFlight("07", [(160, 120, 0.0)], table=NO_ANGLES),
        DrawnFlight("10", [(150, 110, 10.0), (80, 80, 200.0)]),
    ]
    return visloc_tree(tmp_path_factory.mktemp("visloc"), flights, _ground)


def test_a_picture_laid_on_the_ground_shows_what_the_map_shows_there(root: Path) -> None:
    source = visloc.open_train(root, TRAIN, EXACT)
    for spot in source.spots:
        patch = lay_on_ground(spot.photo, 60.0, 60)
        tile = spot.map.window(spot.photo.place, 60.0, 60)
        assert patch.seen.mean() > 0.8
        assert np.abs(patch.picture.astype(int) - tile)[patch.seen].mean() < 4  # JPEG, and interpolation twice


@pytest.mark.parametrize("seed", range(6))
def test_both_views_are_moved_alike_and_the_footprint_is_the_tiles(seed: int, root: Path) -> None:
    source = visloc.open_train(root, TRAIN, replace(EXACT, offset=0.125))
    exact = visloc.open_train(root, TRAIN, EXACT)
    views = exact.render(2, np.random.default_rng(seed), 48)
    assert np.abs(views.drone.astype(int) - views.tile)[views.drone_seen].mean() < 4
    spot = source.spots[2]
    moved = source.render(2, np.random.default_rng(seed), 48).footprint
    assert moved is not None
    east_m, north_m = spot.frame.to_en(spot.photo.place)
    assert max(abs(moved.east_m - east_m), abs(moved.north_m - north_m)) <= moved.side_m / 8
    assert (moved.east_m, moved.north_m) != (east_m, north_m)
    assert 0.8 <= moved.side_m / view_side_m(120.0) <= 1.2


def test_pictures_that_overlap_are_no_negatives_of_each_other(root: Path) -> None:
    data = PairDataset([visloc.open_train(root, TRAIN, EXACT)], seed=0, side_px=32, strength=0.0)
    batch = collate([data[Item(0, k)] for k in range(3)])
    assert batch.same_place().tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_flights_are_split_and_those_without_a_usable_pose_are_left_out_and_told(root: Path) -> None:
    names = {
        split: {spot.photo.path.name[:2] for spot in visloc.open_train(root, Choice(split), EXACT).spots}
        for split in ("train", "val", None)
    }
    assert names == {"train": {"01"}, "val": {"10"}, None: {"01", "10"}}
    notes = {line.name: line.note for line in visloc.count_table(root)}
    assert notes["flight 03"] == "test"
    assert "2310 to 2310 m, look like above the sea" in notes["flight 05"]
    assert "no heading" in notes["flight 07"]
    assert visloc.faults(root) == []
    assert "no official split" in visloc.deviations(root)[0].text
    with pytest.raises(DataError, match="flight 03 of UAV-VisLoc is kept for the test"):
        visloc.open_train(root, TRAIN, EXACT, ["01", "03"])
    with pytest.raises(DataError, match=r"flight 05 of .* cannot be trained on: its heights"):
        visloc.open_train(root, TRAIN, EXACT, ["05"])
    with pytest.raises(DataError, match="has no flight 09; it has 01, 03"):
        visloc.retrieval_sets(root, ["09"])


def test_a_large_picture_read_at_half_its_size_shows_the_same_ground(root: Path, tmp_path: Path) -> None:
    photo = visloc.open_train(root, TRAIN, EXACT).spots[2].photo
    small = cv2.imread(str(photo.path))
    large = photo._replace(path=tmp_path / "large.png")
    cv2.imwrite(str(large.path), cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))
    coarse, fine = lay_on_ground(large, 60.0, 40), lay_on_ground(photo, 60.0, 40)
    both = coarse.seen & fine.seen
    assert np.abs(coarse.picture.astype(int) - fine.picture)[both].mean() < 1.5


def test_a_picture_whose_view_leaves_the_map_is_not_used(root: Path) -> None:
    assert [s.photo.path.stem for s in visloc.open_train(root, TRAIN, EXACT).spots] == [
        "01_0001",
        "01_0002",
        "01_0003",
    ]


def test_the_right_tile_of_a_query_is_the_nearest_of_a_grid_over_the_map(root: Path) -> None:
    (asked,) = visloc.retrieval_sets(root)
    side_m = view_side_m(120.0)
    across, down = (int((extent - side_m) / (side_m / 2) + 1e-6) + 1 for extent in (320, 240))
    assert len(asked.gallery) == across * down
    for query in asked.queries:
        assert query.lat_lon is not None
        here = LatLon(*query.lat_lon)
        nearest = min(asked.gallery, key=lambda tile: distance_m(here, LatLon(*tile.lat_lon or (0.0, 0.0))))
        assert query.place == nearest.place
        assert distance_m(here, LatLon(*nearest.lat_lon or (0.0, 0.0))) <= side_m / 4 * 2**0.5 * 1.01
    first = np.asarray(cv2.resize(asked.gallery[0].read(), (71, 71), interpolation=cv2.INTER_AREA)).astype(int)
    assert np.abs(first - cv2.resize(_ground(1)[:72, :72], (71, 71), interpolation=cv2.INTER_AREA)).mean() < 2
    assert asked.queries[0].read().shape == asked.gallery[0].read().shape
    assert len(visloc.retrieval_sets(root, ["01"])[0].queries) == 3


def test_a_map_in_four_files_is_read_as_one(tmp_path: Path) -> None:
    ground = draw_place(9, 120)
    corners = LatLon(30.001, 120.0), LatLon(30.0, 120.001)
    parts = [("01-01", 0, 0), ("01-02", 70, 0), ("02-01", 0, 50), ("02-02", 70, 50)]
    folder = tmp_path / "09"
    folder.mkdir()
    for name, left, top in parts:
        part = ground[top : 50 if top == 0 else 120, left : 70 if left == 0 else 120]
        cv2.imwrite(str(folder / f"satellite09_{name}.tif"), cv2.cvtColor(part, cv2.COLOR_RGB2BGR))
    found = read_parts(folder)
    assert [(p.left_px, p.top_px) for p in found] == [(left, top) for _, left, top in parts]
    cv2.imwrite(str(folder / "whole.tif"), cv2.cvtColor(ground, cv2.COLOR_RGB2BGR))
    four, one = FlightMap(found, *corners), FlightMap([MapPart(folder / "whole.tif", 0, 0, 120, 120)], *corners)
    assert four.size_px == one.size_px == (120, 120)
    for side_m in (20.0, 60.0, 200.0):  # the last reaches beyond the map
        at = LatLon(30.00055, 120.00058)
        assert np.array_equal(four.window(at, side_m, 32), one.window(at, side_m, 32))


def test_metres_on_a_map_agree_with_the_ellipsoid(root: Path) -> None:
    spot = visloc.open_train(root, TRAIN, EXACT).spots[0]
    across, down = spot.map.gsd_m(spot.map.centre.lat)
    assert across == pytest.approx(1.0, abs=1e-3)
    assert down == pytest.approx(1.0, abs=1e-3)
    frame = LocalFrame(spot.map.centre)
    assert spot.map.holds(frame.to_latlon(100.0, 0.0), 59.0)
    assert not spot.map.holds(frame.to_latlon(100.0, 0.0), 61.0)
    assert not spot.map.holds(frame.to_latlon(0.0, -100.0), 21.0)


def test_what_is_missing_is_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no UAV-VisLoc: expected .*did you mean"):
        visloc.count_table(root / "01")
    flights = [DrawnFlight("01", [(160, 120, 0.0), (100, 100, 0.0)])]
    tree = visloc_tree(tmp_path, flights, _ground)
    (tree / "01/drone/01_0002.JPG").rename(tree / "01/drone/01_0009.JPG")
    with pytest.raises(DataError, match=r"lists 2 pictures, of which 1 are missing, .*01_0002.JPG first"):
        visloc.count_table(tree)
    table = tree / "01/01.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:-1]))
    assert visloc.faults(tree) == ["01.csv does not list 1 pictures of drone: 01_0009.JPG"]
    (tree / "01/satellite01.tif").unlink()
    assert visloc.count_table(tree)[1].note == "satellite01.tif is missing"
    table.write_text("\n".join([lines[0], lines[1].replace(",120.0,", ",high,")]))
    with pytest.raises(DataError, match="line 2: height is 'high'; expected a number"):
        visloc.count_table(tree)


def test_the_command_draws_pairs_of_a_flight(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"visloc:{root}#01", "--picture", str(tmp_path / "x.png"), "--side", "48", "--augment", "0"]) == 0
    out = capsys.readouterr().out
    assert "flight 05" in out and "above the sea" in out
    assert "UAV-VisLoc flight 01 drone -> map tiles: 3 queries" in out
    assert "train  " in out and "3 scenes" in out


def test_flights_over_the_same_ground_share_its_places(tmp_path: Path) -> None:
    flights = [DrawnFlight(name, [(160, 120, 0.0)]) for name in ("01", "02", "08")]
    tree = visloc_tree(tmp_path, flights, _ground)
    table = (tree / "02/02.csv").read_text()
    ranges = tree / "satellite_ coordinates_range.csv"
    corners = ranges.read_text().splitlines()
    (tree / "02/02.csv").write_text(table.replace(",30.99", ",29.99").replace(",31.0", ",30.0"))
    corners[2] = corners[2].replace(",30.99", ",29.99").replace(",31.0", ",30.0")
    ranges.write_text("\n".join(corners))
    first, second, far = visloc.open_train(tree, TRAIN, EXACT).spots
    assert (first.site, first.frame, first.place) == (second.site, second.frame, second.place)
    assert far.site != first.site


def test_heights_that_follow_mountains_are_not_taken_for_heights_above_ground(tmp_path: Path) -> None:
    tree = visloc_tree(tmp_path, [DrawnFlight("06", [(160, 120, 0.0), (150, 120, 0.0)])], _ground)
    table = tree / "06/06.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:2], lines[2].replace(",120.0,0.1", ",460.0,0.1")]))
    assert "120 to 460 m, look like above the sea" in visloc.count_table(tree)[1].note
