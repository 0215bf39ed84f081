"""Folders of University-1652 become its official questions."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import DataError
from tests.train.data.benchmarks import trees
from tests.train.data.benchmarks.conftest import TRAIN, VAL, VIEW
from train.data.benchmarks import university1652
from train.data.retrieval_set import RetrievalSet


def _sizes(asked: RetrievalSet) -> tuple[int, int]:
    return len(asked.queries), len(asked.gallery)


def _positives(asked: RetrievalSet) -> set[int]:
    """How many right answers the queries have."""
    answers = Counter(shot.place for shot in asked.gallery)
    return {answers[shot.place] for shot in asked.queries}


def test_university_asks_both_ways_and_keeps_the_buildings_nobody_asks_for(tmp_path: Path) -> None:
    drone, satellite = university1652.retrieval_sets(trees.university1652(tmp_path))
    assert (drone.name, _sizes(drone), _positives(drone)) == ("University-1652 drone -> satellite", (6, 5), {1})
    assert (_sizes(satellite), _positives(satellite)) == ((3, 10), {2})
    assert _sizes(drone.without_distractors()) == (6, 3)
    assert _sizes(satellite.without_distractors()) == (3, 6)
    assert drone.queries[0].read().shape == (8, 8, 3)
    assert drone.queries[0].name == "test/query_drone/0016/image-00.jpeg"


def test_a_held_out_place_is_asked_for_by_several_pictures_as_they_are(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path, train=8, shots=5)
    val = university1652.open_train(root, VAL, VIEW)
    assert [len(scene.drones) for scene in val.scenes] == [2, 1, 1, 1]
    assert len(set(val.files)) == 5 + 1
    first, again = (val.render(0, np.random.default_rng(0), 8).tile for _ in range(2))
    assert np.array_equal(first, again)
    assert not val.moving


def test_a_miniature_is_usable_but_is_not_the_benchmark(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    assert university1652.faults(root) == []
    assert university1652.deviations(root)[0].text == "train/drone: 16 of 701 places, 32 of 37854 pictures"
    assert len(university1652.deviations(root)) == 6


@pytest.mark.parametrize("below", ["train", "test", ".."])
def test_a_folder_too_high_or_too_low_is_told_with_the_one_that_was_meant(below: str, tmp_path: Path) -> None:
    root = trees.university1652(tmp_path / "data" / "University-Release")
    with pytest.raises(
        DataError, match=r"no University-1652: expected train/drone .*did you mean .*University-Release\?"
    ):
        university1652.retrieval_sets(root / below)


def test_wrong_folders_are_told_in_words(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    shutil.rmtree(root / "train/satellite/0002")
    for path in (root / "test/gallery_satellite/0017").iterdir():
        path.unlink()
    trees.put(root / "test/gallery_drone/0001/x.jpeg", 1)
    faults = "\n".join(university1652.faults(root))
    assert "1 places of" in faults and "are not in" in faults and "0002" in faults
    assert "1 folders of" in faults and "hold no picture: 0017" in faults
    assert "scores would be untrue" in faults
    with pytest.raises(DataError, match=r"1 places of .*drone are not in .*satellite: 0002"):
        university1652.open_train(root, TRAIN, VIEW)
