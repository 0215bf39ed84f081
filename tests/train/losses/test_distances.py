"""The matrix that all losses read: its values on a circle, its precision, and which of its pairs are negatives."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings

from runtime.errors import SettingsError
from tests.train.losses.pairs import Batch, batches, distances_of, loop_distance, on_circle, unit_rows
from train.choices import DISTANCES
from train.losses.distances import (
    as_distances,
    at_least_float32,
    both_directions,
    cross_cosines,
    negatives,
    triplet_shares,
)


def test_distances_of_points_on_a_circle_are_their_chords() -> None:
    drone, tile = on_circle(0, 90), on_circle(60, 180)
    assert cross_cosines(drone, tile).tolist() == [
        [pytest.approx(0.5), pytest.approx(-1)],
        [pytest.approx(math.sqrt(3) / 2), pytest.approx(0, abs=1e-12)],
    ]
    chords = distances_of(drone, tile)
    assert chords[0].tolist() == pytest.approx([1.0, 2.0])
    assert chords[1].tolist() == pytest.approx([2 * math.sin(math.radians(15)), math.sqrt(2)])
    assert distances_of(drone, tile, "cosine")[0].tolist() == pytest.approx([0.5, 2.0])


@given(batches())
@settings(max_examples=30)
def test_distances_equal_a_loop_over_numbers(batch: Batch) -> None:
    drone, tile, _ = batch
    for kind in DISTANCES:
        want = [[loop_distance(d, t, kind) for t in tile] for d in drone]
        assert torch.allclose(distances_of(drone, tile, kind), torch.tensor(want, dtype=torch.float64), atol=1e-4)


def test_a_distance_of_nothing_has_a_finite_slope() -> None:
    rows = unit_rows(3, 4, 0).requires_grad_()
    for kind in DISTANCES:
        (gradient,) = torch.autograd.grad(distances_of(rows, rows.detach(), kind).sum(), rows)
        assert torch.isfinite(gradient).all()


def test_cosines_are_computed_in_float32_under_autocast_and_from_half_precision() -> None:
    drone, tile = unit_rows(4, 64, 0).float(), unit_rows(4, 64, 1).float()
    want = drone @ tile.T
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(cross_cosines(drone, tile), want)
    half = cross_cosines(drone.half(), tile.half())
    assert half.dtype == torch.float32
    assert (half - want).abs().max() < 1e-3
    assert at_least_float32(unit_rows(1, 2, 0)).dtype == torch.float64


def test_rows_that_are_no_pairs_and_a_distance_that_is_unknown_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(2, 4\)"):
        cross_cosines(unit_rows(3, 4, 0), unit_rows(2, 4, 0))
    with pytest.raises(SettingsError, match="distance 'taxicab' is unknown; expected one of euclidean, cosine"):
        as_distances(torch.zeros(2, 2), "taxicab")  # type: ignore[arg-type]


def test_negatives_are_all_pairs_but_ones_own_and_those_of_one_place() -> None:
    matrix = torch.zeros(3, 3)
    assert negatives(matrix, None).tolist() == [[False, True, True], [True, False, True], [True, True, False]]
    same = torch.zeros(3, 3, dtype=torch.bool)
    same[0, 2] = True
    assert negatives(matrix, same).tolist() == [[False, True, False], [True, False, True], [True, True, False]]


@given(batches())
@settings(max_examples=30)
def test_shares_add_up_to_one_over_the_triplets_that_there_are(batch: Batch) -> None:
    drone, tile, same = batch
    shares = triplet_shares(distances_of(drone, tile), same)
    count = 2 * int((~same).sum())
    assert int((shares > 0).sum()) == count
    assert shares.sum().item() == pytest.approx(1.0 if count else 0.0)
    assert shares.unique().numel() <= 2  # all triplets weigh alike


def test_the_second_direction_asks_from_the_tiles() -> None:
    matrix = torch.arange(9.0).view(3, 3)
    first, second = both_directions(matrix)
    assert torch.equal(first, matrix)
    assert second[0].tolist() == [0.0, 3.0, 6.0]
