"""Multi-similarity against its definition written again as a loop, and values worked out on paper."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings

from tests.train.losses.pairs import Batch, batches, fixed_batch, loop_queries
from train.losses.distances import cross_cosines
from train.losses.multi_similarity import multi_similarity


@given(batches())
@settings(max_examples=30)
def test_it_equals_its_definition_as_a_loop(batch: Batch) -> None:
    drone, tile, same = batch
    terms = []
    for pairs, (query, own) in zip(
        loop_queries(drone, tile, same, "cosine"), [*zip(drone, tile, strict=True)] * 2, strict=True
    ):
        together = math.log1p(math.exp(-2 * (float(query @ own) - 0.5))) / 2
        terms.append(together + math.log1p(sum(math.exp(50 * (1 - d_n - 0.5)) for _, d_n in pairs)) / 50)
    assert multi_similarity(cross_cosines(drone, tile), same_place=same).item() == pytest.approx(fmean(terms), abs=1e-9)


def test_cosines_at_the_base_cost_what_the_formula_says_of_nothing() -> None:
    # exp(0) everywhere: log(1 + 1) / 2 of the positive, log(1 + 3) / 50 of the three negatives.
    loss = multi_similarity(torch.full((4, 4), 0.5))
    assert loss.item() == pytest.approx(math.log(2) / 2 + math.log(4) / 50)


def test_a_hard_negative_outweighs_many_easy_ones() -> None:
    easy, hard = torch.full((8, 8), 0.2), torch.full((8, 8), 0.2)
    for cosines in (easy, hard):
        cosines.fill_diagonal_(0.9)
    hard[0, 1] = 0.9
    easy.requires_grad_()
    hard.requires_grad_()
    for cosines in (easy, hard):
        multi_similarity(cosines).backward()
    assert hard.grad is not None
    assert hard.grad[0, 1] > 100 * hard.grad[0, 2:].abs().sum()


def test_its_gradient_agrees_with_finite_differences() -> None:
    drone, tile, same = fixed_batch()
    assert torch.autograd.gradcheck(lambda d, t: multi_similarity(cross_cosines(d, t), same_place=same), (drone, tile))
