"""Triplet losses against plain loops over triplets, and values worked out on paper."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings

from tests.train.losses.pairs import (
    Batch,
    batches,
    distances_of,
    fixed_batch,
    loop_queries,
    mean_over_triplets,
    on_circle,
)
from train.losses.triplet import all_triplets, hard_triplets, triplet_gaps


@given(batches())
@settings(max_examples=30)
def test_both_losses_equal_their_definitions_as_loops(batch: Batch) -> None:
    drone, tile, same = batch
    queries = list(loop_queries(drone, tile, same))
    mean = mean_over_triplets(queries, lambda d_p, d_n: max(d_p - d_n + 0.3, 0.0))
    assert all_triplets(distances_of(drone, tile), 0.3, same).item() == pytest.approx(mean, abs=1e-6)
    hardest = fmean(max((max(d_p - d_n + 0.3, 0.0) for d_p, d_n in pairs), default=0.0) for pairs in queries)
    assert hard_triplets(distances_of(drone, tile), 0.3, same).item() == pytest.approx(hardest, abs=1e-6)


def test_values_of_two_pairs_on_a_circle_are_those_of_paper_and_pencil() -> None:
    # Drones at 0 and 180 degrees, tiles at 60 and 180: positives 1 and 0; negatives 2 and 1 (drone to tile: 0-180 is
    # 2, 180-60 is sqrt 3), tile to drone: 60-180 is sqrt 3, 180-0 is 2.
    distances = distances_of(on_circle(0, 180), on_circle(60, 180))
    gaps = triplet_gaps(distances)
    assert [gaps[way, i, 1 - i].item() for way in (0, 1) for i in (0, 1)] == pytest.approx(
        [1 - 2, 0 - math.sqrt(3), 1 - math.sqrt(3), 0 - 2], abs=1e-3
    )
    assert all_triplets(distances, 0.8).item() == pytest.approx((1.8 - math.sqrt(3)) / 4, abs=1e-3)
    assert hard_triplets(distances, 0.8).item() == pytest.approx((1.8 - math.sqrt(3)) / 4, abs=1e-3)


def test_satisfied_triplets_count_in_the_mean_as_zeros() -> None:
    """Were they left out, one bad pair among many would keep the loss as high as ever."""
    far = distances_of(on_circle(0, 90, 180, 270), on_circle(0, 90, 180, 270))
    assert all_triplets(far, 0.3).item() == 0.0
    close = distances_of(on_circle(0, 90, 180, 270), on_circle(0, 90, 180, 180))
    assert 0 < all_triplets(close, 0.3).item() < hard_triplets(close, 0.3).item()


def test_gradients_agree_with_finite_differences() -> None:
    drone, tile, same = fixed_batch()
    for loss in (all_triplets, hard_triplets):  # a margin away from the hinge's corner
        assert torch.autograd.gradcheck(lambda d, t, loss=loss: loss(distances_of(d, t), 2.5, same), (drone, tile))
