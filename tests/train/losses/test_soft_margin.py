"""The soft-margin loss against a plain loop, and values worked out on paper."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings

from tests.train.losses.pairs import Batch, batches, distances_of, fixed_batch, loop_queries, mean_over_triplets
from train.losses.soft_margin import soft_margin
from train.losses.triplet import all_triplets


@given(batches())
@settings(max_examples=30)
def test_it_equals_its_definition_as_a_loop(batch: Batch) -> None:
    drone, tile, same = batch
    queries = loop_queries(drone, tile, same)
    want = mean_over_triplets(queries, lambda d_p, d_n: math.log1p(math.exp(10 * (d_p - d_n))))
    assert soft_margin(distances_of(drone, tile), 10.0, same).item() == pytest.approx(want, abs=1e-6)


def test_a_negative_as_far_as_the_positive_costs_the_logarithm_of_two() -> None:
    assert soft_margin(torch.full((4, 4), 0.7), 10.0).item() == pytest.approx(math.log(2))


def test_a_sharp_one_is_the_hinge_without_a_margin() -> None:
    drone, tile, same = fixed_batch()
    distances = distances_of(drone, tile)
    hinge = all_triplets(distances, 0.0, same).item()
    assert soft_margin(distances, 1e4, same).item() / 1e4 == pytest.approx(hinge, abs=1e-4)


def test_its_gradient_agrees_with_finite_differences() -> None:
    drone, tile, same = fixed_batch()
    assert torch.autograd.gradcheck(lambda d, t: soft_margin(distances_of(d, t, "cosine"), 10.0, same), (drone, tile))
