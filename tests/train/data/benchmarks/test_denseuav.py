"""Folders of DenseUAV become questions with places in degrees."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from runtime.errors import DataError
from tests.train.data.benchmarks import trees
from tests.train.data.benchmarks.conftest import VAL, VIEW
from train.data.benchmarks import denseuav
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet


def _sizes(asked: RetrievalSet) -> tuple[int, int]:
    return len(asked.queries), len(asked.gallery)


def _positives(asked: RetrievalSet) -> set[int]:
    """How many right answers the queries have."""
    answers = Counter(shot.place for shot in asked.gallery)
    return {answers[shot.place] for shot in asked.queries}


def test_denseuav_finds_a_place_at_any_height_and_date_and_knows_where_it_is(tmp_path: Path) -> None:
    drone, satellite = denseuav.retrieval_sets(trees.denseuav(tmp_path))
    assert (_sizes(drone), _positives(drone)) == ((9, 114), {6})
    assert (_sizes(satellite), _positives(satellite)) == ((18, 57), {3})
    assert drone.queries[0].place == "000016"
    assert drone.queries[0].lat_lon == pytest.approx((30.032, 120.016))
    assert all(shot.lat_lon for shot in drone.gallery)
    (tmp_path / denseuav.GPS).unlink()
    assert denseuav.retrieval_sets(tmp_path)[0].queries[0].lat_lon is None
    assert "no SDM@K" in denseuav.deviations(tmp_path)[-1].text


def test_a_broken_gps_line_is_told_with_its_number(tmp_path: Path) -> None:
    root = trees.denseuav(tmp_path)
    lines = (root / denseuav.GPS).read_text().splitlines()
    (root / denseuav.GPS).write_text("\n".join(lines[:-2]))
    with pytest.raises(DataError, match="no line for 1 places of the test: 000018"):
        denseuav.retrieval_sets(root)
    (root / denseuav.GPS).write_text("\n".join([*lines, "train/satellite/000000/H80.tif east north"]))
    with pytest.raises(DataError, match=f"line {len(lines) + 1} is .*expected PATH E<lon> N<lat> HEIGHT"):
        denseuav.retrieval_sets(root)


def test_a_later_line_of_a_place_counts_and_backslashes_are_slashes(tmp_path: Path) -> None:
    path = tmp_path / "gps.txt"
    lines = ["train\\satellite\\000001\\H80.tif E120.5 N30.25 94.6", "", "train/satellite/000001/H90.tif E121 N31 1"]
    path.write_text("\n".join(lines))
    assert denseuav.read_gps(path) == {"000001": (31.0, 121.0)}


def test_neighbours_are_held_out_in_runs(tmp_path: Path) -> None:
    root = trees.denseuav(tmp_path, train=64)
    val = denseuav.open_train(root, VAL, VIEW).places
    numbers = sorted({int(place.split()[-1]) for place in val})
    assert numbers == [28, 29, 30, 31, 60, 61, 62, 63], "64 places: runs of four"


def test_a_sixth_picture_of_unknown_kind_is_told(tmp_path: Path) -> None:
    root = trees.denseuav(tmp_path)
    assert denseuav.faults(root) == []
    trees.put(root / "train/satellite/000002/H70.tif", 2)
    assert any("hold H70, 000002 first" in fault for fault in denseuav.faults(root))


def test_training_pairs_any_height_with_any_date(tmp_path: Path) -> None:
    root = trees.denseuav(tmp_path)
    source = denseuav.open_train(root, Choice("train"), VIEW)
    scene = source.scenes[0]
    assert sorted(path.name for path in scene.drones) == ["H100.JPG", "H80.JPG", "H90.JPG"]
    assert sorted(path.name for path in scene.tiles)[:2] == ["H100.tif", "H100_old.tif"]
    assert len(scene.tiles) == 6
    assert source.drone_turns, "the drone looks straight down"
