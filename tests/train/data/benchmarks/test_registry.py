"""Training never sees a benchmark's test, and none of it trains weights that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import DataError
from tests.train.data.benchmarks import trees
from tests.train.data.benchmarks.conftest import ALL, TRAIN, VAL, VIEW
from train.data.benchmarks import denseuav, sues200, university1652
from train.data.benchmarks.registry import BENCHMARKS, BenchmarkFolder
from train.data.manifest import Choice
from train.data.open import open_sources


@pytest.mark.parametrize("name", ["university1652", "denseuav", "sues200"])
def test_one_training_place_in_eight_is_held_out_and_no_place_of_the_test_is_trained_on(
    name: str, tmp_path: Path
) -> None:
    module = {"university1652": university1652, "denseuav": denseuav, "sues200": sues200}[name]
    root = getattr(trees, name)(tmp_path)
    train, val, both = (set(module.open_train(root, choice, VIEW).places) for choice in (TRAIN, VAL, ALL))
    asked = {f"{module.NAME} {shot.place}" for s in module.retrieval_sets(root) for shot in s.queries}
    assert train | val == both
    assert not train & val
    assert not both & asked
    assert len(val) == len(both) // 8


def test_only_may_ship_leaves_nothing_of_a_benchmark(tmp_path: Path) -> None:
    trees.university1652(tmp_path)
    assert open_sources([f"university1652:{tmp_path}"], Choice("train", only_may_ship=True), VIEW) == []


@pytest.mark.parametrize(
    ("where", "root", "parts"),
    [
        ("data/SUES-200", "data/SUES-200", []),
        ("data/SUES-200#150,200", "data/SUES-200", ["150", "200"]),
        ("data/odd#folder/x", "data/odd#folder/x", []),
        ("data/odd#folder/x#01", "data/odd#folder/x", ["01"]),
    ],
)
def test_a_folder_and_its_parts_are_told_apart(where: str, root: str, parts: list[str]) -> None:
    folder = BenchmarkFolder.parse("sues200", where)
    assert (folder.root, list(folder.parts)) == (Path(root), parts)
    assert folder.benchmark is BENCHMARKS["sues200"]


def test_what_is_no_benchmark_is_told_with_those_that_are() -> None:
    with pytest.raises(DataError, match="cvusa is no benchmark; expected one of university1652, sues200, denseuav"):
        BenchmarkFolder.parse("cvusa", "data")


def test_a_folder_answers_for_the_parts_that_are_wanted(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path)
    whole, one = (BenchmarkFolder.parse("sues200", where) for where in (str(root), f"{root}#250"))
    assert (len(whole.retrieval_sets()), len(one.retrieval_sets())) == (8, 2)
    assert (len(whole.count_table()), len(one.count_table())) == (2 + 8, 2 + 2)
    assert set(one.pictures()) < set(whole.pictures())
    assert len(one.deviations()) < len(whole.deviations())
    assert whole.faults() == one.faults() == []
    assert len(one.open_train(TRAIN, VIEW).places) == len(whole.open_train(TRAIN, VIEW).places) / 4
