"""Training never sees a benchmark's test, and none of it trains weights that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.data.benchmarks import trees
from tests.train.data.benchmarks.conftest import ALL, TRAIN, VAL, VIEW
from train.data.benchmarks import denseuav, sues200, university1652
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
