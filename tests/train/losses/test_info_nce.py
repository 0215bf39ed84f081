"""InfoNCE against its definition written again as a loop, and values worked out on paper."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.losses.pairs import Batch, batches, fixed_batch, unit_rows
from train.losses.distances import cross_cosines
from train.losses.info_nce import symmetric_info_nce


@given(batches(), st.floats(0.0, 0.5))
@settings(max_examples=30)
def test_it_equals_its_definition_as_a_loop(batch: Batch, smoothing: float) -> None:
    drone, tile, same = batch
    terms = []
    for query, gallery, together in ((drone, tile, same), (tile, drone, same.T)):
        for i in range(len(query)):
            logits = {k: 10.0 * float(query[i] @ gallery[k]) for k in range(len(query)) if k == i or not together[i, k]}
            log_sum = math.log(sum(math.exp(v) for v in logits.values()))
            mean = fmean(v - log_sum for v in logits.values())
            terms.append(-(1 - smoothing) * (logits[i] - log_sum) - smoothing * mean)
    got = symmetric_info_nce(cross_cosines(drone, tile), torch.tensor(10.0), label_smoothing=smoothing, same_place=same)
    assert got.item() == pytest.approx(fmean(terms), abs=1e-9)


def test_without_a_mask_it_is_pytorchs_cross_entropy_both_ways() -> None:
    cosines = cross_cosines(unit_rows(6, 5, 0), unit_rows(6, 5, 1))
    target, logits = torch.arange(6), 7.0 * cosines
    want = sum(F.cross_entropy(rows, target, label_smoothing=0.2) for rows in (logits, logits.T)) / 2
    assert symmetric_info_nce(cosines, torch.tensor(7.0), label_smoothing=0.2).item() == pytest.approx(want.item())


def test_an_encoder_that_knows_nothing_pays_the_logarithm_of_the_batch() -> None:
    loss = symmetric_info_nce(torch.full((8, 8), 0.3), torch.tensor(20.0), label_smoothing=0.1)
    assert loss.item() == pytest.approx(math.log(8), rel=1e-6)


def test_overlapping_tiles_are_as_if_they_were_not_in_the_batch() -> None:
    drone, tile = unit_rows(3, 5, 0), unit_rows(3, 5, 1)
    same = torch.zeros(3, 3, dtype=torch.bool)
    same[2, :2] = same[:2, 2] = True  # the third pair is no negative of the others
    scale = torch.tensor(10.0)
    alone = symmetric_info_nce(cross_cosines(drone[:2], tile[:2]), scale).item()
    # The third query has itself as its only candidate, and so a loss of nothing.
    assert symmetric_info_nce(cross_cosines(drone, tile), scale, same_place=same).item() == pytest.approx(alone * 2 / 3)


def test_gradients_of_embeddings_and_temperature_agree_with_finite_differences() -> None:
    drone, tile, same = fixed_batch()
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)

    def loss(d: torch.Tensor, t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return symmetric_info_nce(cross_cosines(d, t), s, same_place=same)

    assert torch.autograd.gradcheck(loss, (drone, tile, scale))
