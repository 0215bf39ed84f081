"""Two benchmarks share a layout; a folder with half of it is still good for that half."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runtime.errors import DataError
from tests.train.data.benchmarks import trees
from train.data.benchmarks import two_views
from train.data.benchmarks.university1652 import LAYOUT


def test_a_direction_whose_folders_are_there_is_asked_alone(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    shutil.rmtree(root / "test/gallery_drone")
    (task,) = LAYOUT.retrieval_sets(root, LAYOUT.read(root))
    assert (task.name, task.asks_from_drone) == ("University-1652 drone -> satellite", True)
    shutil.rmtree(root / "test/query_drone")
    with pytest.raises(DataError, match="query_drone is missing, or holds no folders of places"):
        LAYOUT.retrieval_sets(root, LAYOUT.read(root))


def test_who_asks_is_said_of_each_direction(tmp_path: Path) -> None:
    tasks = LAYOUT.retrieval_sets(tmp_path, LAYOUT.read(trees.university1652(tmp_path)))
    assert [(task.name.split(" ", 1)[1], task.asks_from_drone) for task in tasks] == [
        ("drone -> satellite", True), ("satellite -> drone", False)]  # fmt: skip


def test_training_places_must_be_in_both_views(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    drone, satellite = LAYOUT.train(root, ())
    assert list(drone.pictures) == list(satellite.pictures)
    shutil.rmtree(root / "train/drone")
    with pytest.raises(DataError, match="train/drone is missing"):
        LAYOUT.train(root, ())


def test_a_folder_without_training_places_has_no_fault_of_training(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    shutil.rmtree(root / "train")
    assert two_views.faults(LAYOUT.read(root), galleries_hold_train=False) == []
    assert two_views.train_faults(LAYOUT.read(root))


def test_galleries_may_hold_training_places_where_the_benchmark_says_so(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    trees.put(root / "test/gallery_drone/0001/x.jpeg", 1)
    trees.put(root / "test/gallery_satellite/0001/x.jpeg", 1)
    views = LAYOUT.read(root)
    assert len(two_views.faults(views, galleries_hold_train=False)) == 2
    assert two_views.faults(views, galleries_hold_train=True) == []
    trees.put(root / "test/query_drone/0001/x.jpeg", 1)
    (fault,) = two_views.faults(LAYOUT.read(root), galleries_hold_train=True)
    assert "query_drone are also in" in fault


def test_counts_are_marked_with_the_part_they_are_of(tmp_path: Path) -> None:
    lines = LAYOUT.count_table(trees.university1652(tmp_path), ())
    assert {line.name: line.part for line in lines} == {name: name.split("/")[0] for name in LAYOUT.full}
    assert [line.here.places for line in lines] == [16, 16, 3, 5, 3, 5]


def test_a_benchmark_without_parts_refuses_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="University-1652 has no parts; leave out #150,200"):
        LAYOUT.read(trees.university1652(tmp_path), ["150", "200"])


def test_every_picture_of_every_folder_is_listed_once(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    pictures = LAYOUT.pictures(root, ())
    everything = [p for p in root.rglob("*.jp*g") if "4K_drone" not in str(p)]
    assert sorted(pictures) == sorted(everything)
