"""The warp between two views says which pixel of the tile shows the same ground."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from runtime.errors import DataError
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.view_spec import ViewSpec
from train.local.pairs import MatchedPairs, collate


@pytest.fixture
def pairs(pictures: Path, matcher: Path) -> MatchedPairs:
    spec = ViewSpec(footprint_m=(30.0, 40.0), warp=True)
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), spec)
    return MatchedPairs(sources, seed=1, side_px=64, strength=1.0, count=5, teacher=matcher)


def test_a_number_gives_the_same_pair_whatever_was_drawn_before(pairs: MatchedPairs) -> None:
    assert len(pairs) == 5
    first = pairs[3]
    pairs[0]
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(first, pairs[3], strict=True))
    assert not torch.equal(first.drone, pairs[2].drone)


def test_the_teachers_keypoints_are_carried_over_by_the_warp(pairs: MatchedPairs) -> None:
    pair = pairs[1]
    seen = ~pair.tile_from_drone[..., 0].isnan()
    assert not pair.taught_drone[~seen].any(), "nothing is marked where the camera saw nothing"
    inside = seen & ((pair.tile_from_drone >= 1) & (pair.tile_from_drone <= 62)).all(dim=-1)
    for row, column in inside.nonzero()[::97].tolist():
        x, y = pair.tile_from_drone[row, column].tolist()
        x0, y0 = int(x), int(y)
        around = pair.taught_tile[y0 : y0 + 2, x0 : x0 + 2].numpy()
        across = around[:, 0] * (1 - (x - x0)) + around[:, 1] * (x - x0)
        want = float(across[0] * (1 - (y - y0)) + across[1] * (y - y0))
        assert float(pair.taught_drone[row, column]) == pytest.approx(want, abs=0.03)


def test_the_teacher_sees_the_tile_before_its_light_is_changed(
    pairs: MatchedPairs, pictures: Path, matcher: Path
) -> None:
    spec = ViewSpec(footprint_m=(30.0, 40.0), warp=True)
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), spec)
    calm = MatchedPairs(sources, seed=1, side_px=64, strength=0.0, count=5, teacher=matcher)
    assert not torch.equal(pairs[2].tile, calm[2].tile)
    assert torch.equal(pairs[2].taught_tile, calm[2].taught_tile)


def test_a_batch_is_its_pairs_stacked(pairs: MatchedPairs) -> None:
    batch = collate([pairs[0], pairs[4]])
    assert batch.drone.shape == batch.tile.shape == (2, 64, 64, 3)
    assert batch.tile_from_drone.shape == (2, 64, 64, 2)
    assert torch.equal(batch.taught_tile[1], pairs[4].taught_tile)


def test_a_source_without_a_warp_is_told_with_those_that_have_one(pictures: Path, matcher: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), ViewSpec())
    pairs = MatchedPairs(sources, seed=1, side_px=64, strength=1.0, count=5, teacher=matcher)
    with pytest.raises(DataError, match=r"the warp .* is not known; train\.local takes overhead:"):
        pairs[0]
