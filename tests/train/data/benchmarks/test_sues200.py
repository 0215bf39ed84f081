"""Folders of SUES-200 become questions at each height."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from runtime.errors import DataError
from tests.train.data.benchmarks import trees
from tests.train.data.benchmarks.conftest import TRAIN, VIEW
from train.data.benchmarks import denseuav, sues200
from train.data.benchmarks.benchmark import Count
from train.data.open import open_sources
from train.data.retrieval_set import RetrievalSet


def _sizes(asked: RetrievalSet) -> tuple[int, int]:
    return len(asked.queries), len(asked.gallery)


def _positives(asked: RetrievalSet) -> set[int]:
    """How many right answers the queries have."""
    answers = Counter(shot.place for shot in asked.gallery)
    return {answers[shot.place] for shot in asked.queries}


def test_sues_asks_at_each_height_and_its_galleries_hold_the_training_scenes(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path)
    sets = sues200.retrieval_sets(root)
    assert len(sets) == 8
    assert [s.name for s in sets[:2]] == ["SUES-200 150 m drone -> satellite", "SUES-200 150 m satellite -> drone"]
    assert [(_sizes(s), _positives(s)) for s in sets[:2]] == [((4, 10), {1}), ((2, 20), {2})]
    assert _sizes(sets[0].without_distractors()) == (4, 2)
    for asked in sets:
        height = asked.name.split()[1]
        pictures = (*asked.queries, *asked.gallery)
        assert all(f"/{height}/" in shot.name for shot in pictures if shot.name.startswith("drone"))
    assert [s.name.split()[1] for s in sues200.retrieval_sets(root, ["250"])] == ["250", "250"]


def test_the_fixed_scenes_of_sues_are_the_published_ones() -> None:
    assert (len(sues200.TRAIN), len(sues200.TEST)) == (120, 80)
    assert sorted(sues200.TEST)[:5] == ["0008", "0012", "0014", "0017", "0018"]
    assert sum(map(int, sues200.TRAIN)) == 11_864


def test_sues_trains_on_all_heights_or_on_the_one_that_is_named(tmp_path: Path) -> None:
    trees.sues200(tmp_path)
    (mixed,) = open_sources([f"sues200:{tmp_path}"], TRAIN, VIEW)
    (one,) = open_sources([f"sues200:{tmp_path}#150*2"], TRAIN, VIEW)
    assert Counter(mixed.places) == dict.fromkeys(one.places, 4)
    assert one.weight == 2
    assert all("/150/" in str(path) for path in one.files if "drone" in str(path))
    assert "/300/" in str(mixed.files)


def test_a_mix_of_heights_is_told(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path / "sues")
    shutil.rmtree(root / "drone_view_512/0002/250")
    faults = sues200.faults(root)
    assert any("have not 150, 200, 250, 300 as the others: 0002" in fault for fault in faults)
    (root / "drone_view_512/0003/300").rename(root / "drone_view_512/0003/350")
    assert any("hold 350, 0003 first" in fault for fault in sues200.faults(root))
    with pytest.raises(DataError, match=r"1 scenes of .* have no picture at 250 m: 0002"):
        sues200.open_train(root, TRAIN, VIEW)
    dense = trees.denseuav(tmp_path / "dense")
    (dense / "train/drone/000004/H90.JPG").unlink()
    assert any("have not H100, H80, H90 as the others: 000004" in fault for fault in denseuav.faults(dense))


def test_a_height_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path, heights=["150", "300"])
    with pytest.raises(DataError, match=r"has pictures at 150, 300 of .*choose, as sues200:.*#150,300"):
        sues200.open_train(root, TRAIN, VIEW)
    with pytest.raises(DataError, match="has the heights 150, 200"):
        open_sources([f"sues200:{root}#175"], TRAIN, VIEW)
    with pytest.raises(DataError, match="takes no @GSD"):
        open_sources([f"sues200:{root}@0.3"], TRAIN, VIEW)


def test_a_scene_without_a_picture_at_a_height_does_not_count_there(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path)
    for path in (root / "drone_view_512/0002/250").iterdir():
        path.unlink()
    here = {line.name: line.here for line in sues200.count_table(root)}
    assert here["drone_view_512 200 m (train)"] == Count(8, 16)
    assert here["drone_view_512 250 m (train)"] == Count(7, 14)
    assert here["satellite-view (test)"] == Count(2, 2)


def test_the_table_has_a_height_that_nobody_downloaded(tmp_path: Path) -> None:
    lines = sues200.count_table(trees.sues200(tmp_path, heights=["150"]))
    assert [line.here.pictures for line in lines if " 300 m" in line.name] == [0, 0]


def test_a_folder_that_the_authors_script_has_copied_is_told(tmp_path: Path) -> None:
    (tmp_path / "Training").mkdir()
    with pytest.raises(DataError, match=r"as split_datasets\.py copies it; give the folder as released"):
        sues200.count_table(tmp_path)


def test_pictures_outside_the_heights_and_scenes_that_are_none_are_told(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path)
    assert sues200.faults(root) == []
    trees.put(root / "drone_view_512/0001/stray.jpg", 1)
    trees.put(root / "satellite-view/0999/0.png", 9)
    faults = sues200.faults(root)
    assert any("scenes that SUES-200 has not: 0999" in fault for fault in faults)
    assert any("pictures outside the folders of heights in 0001" in fault for fault in faults)
