"""Generated worlds need no files; their cells are apart, and each is flown on one date and mapped on the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.errors import DataError
from tests.train.conftest import EXACT
from train.data.manifest import Choice
from train.data.sources.generated_world import DrawnSource, open_drawn
from train.data.view_spec import ViewSpec


@pytest.fixture(scope="module")
def whole() -> DrawnSource:
    return open_drawn("1", Choice(), EXACT)


def test_train_and_val_share_no_cell_and_together_are_all(whole: DrawnSource) -> None:
    train, val = (open_drawn("1", Choice(split), EXACT) for split in ("train", "val"))
    assert sorted([*train.places, *val.places]) == sorted(whole.places)
    assert not set(train.places) & set(val.places)
    assert len(val.places) == pytest.approx(len(whole.places) / 4, abs=1)
    assert whole.files == ()
    assert whole.without([Path("anything")]) is whole


def test_cells_are_neighbouring_pieces_of_one_picture(whole: DrawnSource) -> None:
    shapes = {picture.shape for pair in whole.cells for picture in pair}
    assert shapes == {(256, 256, 3)}
    assert len({summer.tobytes() for summer, _ in whole.cells}) == len(whole.cells)


def test_one_date_is_flown_and_the_other_mapped_and_either_may_be(whole: DrawnSource) -> None:
    """The sum of a tile's colours shows which of the two dates it is of."""
    warmth = []
    for seed in range(12):
        views = whole.render(2, np.random.default_rng(seed), 48)
        drone, tile = (picture.reshape(-1, 3).mean(axis=0) for picture in (views.drone[views.drone_seen], views.tile))
        warmth.append(float((drone[0] - drone[2]) - (tile[0] - tile[2])))
    assert min(np.abs(warmth)) > 1.0, "the dates are never the same"
    assert min(warmth) < 0 < max(warmth)


def test_the_same_generator_draws_the_same_views(whole: DrawnSource) -> None:
    first, again, other = (whole.render(1, np.random.default_rng(seed), 32) for seed in (3, 3, 4))
    assert np.array_equal(first.tile, again.tile)
    assert not np.array_equal(first.tile, other.tile)


@pytest.mark.parametrize("count", ["0", "-1", "one", "1.5", ""])
def test_what_is_no_number_of_worlds_is_told(count: str) -> None:
    with pytest.raises(DataError, match=f"--data world:{count}: expected the number of worlds to draw, as world:1"):
        open_drawn(count, Choice(), ViewSpec())
