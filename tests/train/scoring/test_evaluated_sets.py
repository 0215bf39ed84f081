"""Which sets an evaluation scores: benchmarks by their test, all else as views of a split, each under its own name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from runtime.errors import DataError, SettingsError
from tests.train.conftest import draw_place
from tests.train.data.benchmarks import trees
from train.scoring.evaluate_spec import EvaluateSpec
from train.scoring.evaluated_sets import SetGroup, open_sets


def _groups(*data: str, **settings: object) -> list[SetGroup]:
    return open_sets(replace(EvaluateSpec(Path("best.safetensors"), data), **settings), 32)


def test_a_benchmark_is_scored_by_its_test_and_says_what_it_lacks(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    (group,) = _groups(f"university1652:{root}")
    (again,) = _groups(f"university1652:{root}", split="test")
    assert [s.name for s in again.sets] == [s.name for s in group.sets]
    assert [s.name for s in group.sets] == ["University-1652 drone -> satellite", "University-1652 satellite -> drone"]
    (remark,) = group.remarks
    assert "test/query_drone: 3 of 701 places" in remark
    assert "train/" not in remark  # the test alone is scored
    assert len({shot.place for shot in group.sets[0].gallery}) == 5


def test_the_sample4geo_protocol_leaves_no_distractor_in_the_gallery(tmp_path: Path) -> None:
    (group,) = _groups(f"university1652:{trees.university1652(tmp_path)}", protocol="sample4geo")
    for retrieval_set in group.sets:
        assert retrieval_set.name.endswith("(sample4geo)")
        wanted = {shot.place for shot in retrieval_set.queries}
        assert {shot.place for shot in retrieval_set.gallery} == wanted


def test_the_split_of_a_benchmark_is_rendered_as_training_sees_it(tmp_path: Path) -> None:
    (group,) = _groups(f"university1652:{trees.university1652(tmp_path)}", split="train", augment=0.5)
    assert [s.name for s in group.sets] == ["drone -> tile", "tile -> drone"]
    assert group.remarks[0].endswith("split train, rendered with --augment 0.5")
    assert group.sets[0].queries[0].read().shape == (32, 32, 3)


def test_pictures_without_a_split_of_their_own_are_scored_by_the_places_held_back(pictures: Path) -> None:
    held_back, all_places = (_groups(f"overhead:{pictures}@0.6", split=split)[0] for split in (None, "all"))
    assert len(held_back.sets[0].queries) == 3
    assert len(all_places.sets[0].queries) == 24
    assert "split val" in held_back.remarks[0]


def test_unregistered_pairs_are_scored_as_they_are_against_all_places(tmp_path: Path) -> None:
    for view in ("drone", "satellite"):
        (tmp_path / view).mkdir()
        for k in range(16):
            cv2.imwrite(str(tmp_path / view / f"{k:02d}.png"), draw_place(k, 32))
    (group,) = _groups(f"pairs:{tmp_path}")
    drone_to_satellite = group.sets[0]
    assert len(drone_to_satellite.queries) == 2
    assert len(drone_to_satellite.gallery) == 16
    assert group.remarks == [f"pairs:{tmp_path}: split val asks, all places are in the gallery"]


def test_what_cannot_be_scored_is_refused(pictures: Path, tmp_path: Path) -> None:
    data = f"overhead:{pictures}@0.6"
    with pytest.raises(DataError, match="--split test is of benchmarks"):
        _groups(data, split="test")
    few = tmp_path / "few"
    few.mkdir()
    cv2.imwrite(str(few / "0.png"), draw_place(0))
    with pytest.raises(DataError, match="has 0 places in split val; try --split all"):
        _groups(f"overhead:{few}@0.6")
    first, second = (trees.university1652(tmp_path / name) for name in ("a", "b"))
    with pytest.raises(SettingsError, match="two sets would bear one name"):
        _groups(f"university1652:{first}", f"university1652:{second}")
