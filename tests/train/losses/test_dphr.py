"""DPHR against the paper's formulas written again as loops over triplets, and weights worked out on paper."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import SettingsError
from tests.train.losses.pairs import (
    Batch,
    batches,
    distances_of,
    loop_queries,
    mean_over_triplets,
    on_circle,
    unit_rows,
)
from train.choices import DISTANCES, Distance
from train.losses.distances import as_distances, cross_cosines
from train.losses.dphr import DphrSpec, dphr_terms, hardness, rda_weights
from train.losses.info_nce import symmetric_info_nce
from train.losses.multi_similarity import multi_similarity
from train.losses.soft_margin import soft_margin
from train.losses.triplet import all_triplets, hard_triplets


@given(batches(), st.sampled_from(DISTANCES), st.floats(0.0, 1.0), st.floats(0.0, 2.0))
@settings(max_examples=40)
def test_both_losses_equal_the_papers_formulas_as_a_loop(
    batch: Batch, kind: Distance, w_min: float, width: float
) -> None:
    drone, tile, same = batch
    spec = DphrSpec(distance=kind, w_min=w_min, w_max=w_min + width)

    def hinge(d_p: float, d_n: float) -> float:
        return max(d_p - d_n + spec.margin, 0.0)

    def weighted(d_p: float, d_n: float) -> float:
        return (spec.w_min + (spec.w_max - spec.w_min) * d_p / (d_p + d_n)) * hinge(d_p, d_n)

    got = dphr_terms(distances_of(drone, tile, kind), spec, same)
    for loss, term in zip(got, (hinge, weighted), strict=True):
        assert loss.item() == pytest.approx(mean_over_triplets(loop_queries(drone, tile, same, kind), term), abs=1e-6)
    assert all_triplets(distances_of(drone, tile, kind), spec.margin, same).item() == pytest.approx(got.triplet.item())


@given(batches())
@settings(max_examples=30)
def test_hardness_is_of_the_real_triplets_alone(batch: Batch) -> None:
    drone, tile, same = batch
    want = sorted(d_p / (d_p + d_n) for pairs in loop_queries(drone, tile, same) for d_p, d_n in pairs)
    assert sorted(hardness(distances_of(drone, tile), same).tolist()) == pytest.approx(want, abs=1e-6)


def test_weights_of_points_on_a_circle_are_what_paper_and_pencil_say() -> None:
    # Drone at 0 degrees, its tile at 60 (d_p = 1), a negative at 180 (d_n = 2): h = 1/3, w = 0.5 + 1/3.
    weights = rda_weights(distances_of(on_circle(0, 180), on_circle(60, 180)), DphrSpec())
    assert weights[0, 0, 1].item() == pytest.approx(0.5 + 1 / 3, abs=1e-6)
    # The other way round: tile at 60, its drone at 0 (d_p = 1), the negative drone at 180 (d_n = sqrt 3).
    assert weights[1, 0, 1].item() == pytest.approx(0.5 + 1 / (1 + math.sqrt(3)), abs=1e-6)


def test_without_rda_both_losses_are_one() -> None:
    terms = dphr_terms(distances_of(unit_rows(5, 3, 0), unit_rows(5, 3, 1)), DphrSpec(rda=False))
    assert terms.triplet.item() == terms.weighted.item() > 0


def test_the_gradient_of_the_weighted_loss_takes_the_weight_as_a_number() -> None:
    drone, tile = unit_rows(4, 3, 2).requires_grad_(), unit_rows(4, 3, 3)
    spec = DphrSpec(margin=2.5, w_min=0.0, w_max=2.0)
    (got,) = torch.autograd.grad(dphr_terms(distances_of(drone, tile), spec).weighted, drone)
    fixed = rda_weights(distances_of(drone.detach(), tile), spec)
    distances = distances_of(drone, tile)
    want = sum(
        fixed[way, i, k] * (distances[i, i] - (distances[i, k] if way == 0 else distances[k, i]) + spec.margin) / 24
        for way in range(2)
        for i in range(4)
        for k in range(4)
        if i != k
    )
    assert torch.allclose(got, torch.autograd.grad(want, drone)[0])


@pytest.mark.parametrize("kind", DISTANCES)
def test_identical_views_and_a_batch_of_one_place_have_finite_gradients_in_every_loss(kind: Distance) -> None:
    for same in (None, torch.ones(4, 4, dtype=torch.bool)):
        drone = unit_rows(4, 3, 2).float().requires_grad_()
        cosines = cross_cosines(drone, drone.detach())
        distances = as_distances(cosines, kind)
        losses = [*dphr_terms(distances, DphrSpec(), same), hard_triplets(distances, 0.3, same)]
        losses += [soft_margin(distances, 10.0, same), multi_similarity(cosines, same_place=same)]
        losses += [symmetric_info_nce(cosines, torch.tensor(10.0), same_place=same)]
        (gradient,) = torch.autograd.grad(torch.stack(losses).sum(), drone)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"distance": "taxicab"},
        {"w_min": 2.0},
        {"w_max": math.inf},
        {"margin": math.nan},
        {"beta": 1.0},
        {"window": 0},
        {"alpha_max": math.inf},
        {"fixed_lambda": -1.0},
    ],
)
def test_a_constant_that_makes_no_sense_names_its_flag(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="--" + next(iter(wrong)).replace("_", "-")):
        DphrSpec(**wrong)  # type: ignore[arg-type]
