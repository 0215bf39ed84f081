"""Flights of the test are never trained on, and the right tile of a query is the nearest."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import DataError
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from tests.train.data.benchmarks.conftest import EXACT, TRAIN, draw_ground
from tests.train.data.benchmarks.trees import DrawnFlight
from tests.train.data.benchmarks.trees import visloc as visloc_tree
from train.data.__main__ import main
from train.data.benchmarks import visloc
from train.data.benchmarks.visloc_source import view_side_m
from train.data.dataset import Item, PairDataset, collate
from train.data.manifest import Choice


def test_pictures_that_overlap_are_no_negatives_of_each_other(visloc_root: Path) -> None:
    data = PairDataset([visloc.open_train(visloc_root, TRAIN, EXACT)], seed=0, side_px=32, strength=0.0)
    batch = collate([data[Item(0, k)] for k in range(3)])
    assert batch.same_place().tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_flights_are_split_and_those_without_a_usable_pose_are_left_out_and_told(visloc_root: Path) -> None:
    names = {
        split: {spot.photo.path.name[:2] for spot in visloc.open_train(visloc_root, Choice(split), EXACT).spots}
        for split in ("train", "val", None)
    }
    assert names == {"train": {"01"}, "val": {"10"}, None: {"01", "10"}}
    notes = {line.name: line.note for line in visloc.count_table(visloc_root)}
    assert notes["flight 03"] == "test"
    assert "2310 to 2310 m, look like above the sea" in notes["flight 05"]
    assert "no heading" in notes["flight 07"]
    assert visloc.faults(visloc_root) == []
    assert "no official split" in visloc.deviations(visloc_root)[0].text
    with pytest.raises(DataError, match="flight 03 of UAV-VisLoc is kept for the test"):
        visloc.open_train(visloc_root, TRAIN, EXACT, ["01", "03"])
    with pytest.raises(DataError, match=r"flight 05 of .* cannot be trained on: its heights"):
        visloc.open_train(visloc_root, TRAIN, EXACT, ["05"])
    with pytest.raises(DataError, match="has no flight 09; it has 01, 03"):
        visloc.retrieval_sets(visloc_root, ["09"])


def test_a_picture_whose_view_leaves_the_map_is_not_used(visloc_root: Path) -> None:
    assert [s.photo.path.stem for s in visloc.open_train(visloc_root, TRAIN, EXACT).spots] == [
        "01_0001",
        "01_0002",
        "01_0003",
    ]


def test_the_right_tile_of_a_query_is_the_nearest_of_a_grid_over_the_map(visloc_root: Path) -> None:
    (asked,) = visloc.retrieval_sets(visloc_root)
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
    assert np.abs(first - cv2.resize(draw_ground(1)[:72, :72], (71, 71), interpolation=cv2.INTER_AREA)).mean() < 2
    assert asked.queries[0].read().shape == asked.gallery[0].read().shape
    assert len(visloc.retrieval_sets(visloc_root, ["01"])[0].queries) == 3


def test_what_is_missing_is_told(visloc_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no UAV-VisLoc: expected .*did you mean"):
        visloc.count_table(visloc_root / "01")
    flights = [DrawnFlight("01", [(160, 120, 0.0), (100, 100, 0.0)])]
    tree = visloc_tree(tmp_path, flights, draw_ground)
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


def test_the_command_draws_pairs_of_a_flight(
    visloc_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main([f"visloc:{visloc_root}#01", "--picture", str(tmp_path / "x.png"), "--side", "48", "--augment", "0"]) == 0
    )
    out = capsys.readouterr().out
    assert "flight 05" in out and "above the sea" in out
    assert "UAV-VisLoc flight 01 drone -> map tiles: 3 queries" in out
    assert "train  " in out and "3 scenes" in out


def test_flights_over_the_same_ground_share_its_places(tmp_path: Path) -> None:
    flights = [DrawnFlight(name, [(160, 120, 0.0)]) for name in ("01", "02", "08")]
    tree = visloc_tree(tmp_path, flights, draw_ground)
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
    tree = visloc_tree(tmp_path, [DrawnFlight("06", [(160, 120, 0.0), (150, 120, 0.0)])], draw_ground)
    table = tree / "06/06.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:2], lines[2].replace(",120.0,0.1", ",460.0,0.1")]))
    assert "120 to 460 m, look like above the sea" in visloc.count_table(tree)[1].note
