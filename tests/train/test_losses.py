"""Losses against the formula written again as plain loops, and values worked out on paper."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from runtime.errors import TrainError
from train.losses.distances import cross_distances
from train.losses.dphr import DphrSpec, Palw, dphr, rda_weights
from train.losses.info_nce import symmetric_info_nce
from train.losses.objective import Objective
from train.losses.triplet import all_triplets, hard_triplets


def _unit(count: int, dim: int, seed: int) -> Tensor:
    rows = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=1)


def _on_circle(*degrees: float) -> Tensor:
    return torch.tensor([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in degrees], dtype=torch.float64)


def _same_place(count: int, seed: int) -> Tensor:
    drawn = torch.rand(count, count, generator=torch.Generator().manual_seed(seed)) < 0.2
    return drawn | drawn.T | torch.eye(count, dtype=torch.bool)


def _loop_distance(a: Tensor, b: Tensor) -> float:
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def _loop_triplets(drone: Tensor, tile: Tensor, same: Tensor, spec: DphrSpec, weighted: bool) -> float:
    """Mean over all (query, negative) of both directions, as the paper's formula reads."""
    total, count = 0.0, 0
    for query, gallery in ((drone, tile), (tile, drone)):
        for i in range(len(query)):
            d_p = _loop_distance(query[i], gallery[i])
            for k in range(len(gallery)):
                if k == i or same[i, k]:
                    continue
                d_n = _loop_distance(query[i], gallery[k])
                weight = spec.w_min + (spec.w_max - spec.w_min) * d_p / (d_p + d_n) if weighted else 1.0
                total += weight * max(d_p - d_n + spec.margin, 0.0)
                count += 1
    return total / max(count, 1)


batches = st.tuples(st.integers(2, 7), st.integers(2, 6), st.integers(0, 10_000))


@given(batches)
@settings(max_examples=30, deadline=None)
def test_triplets_and_their_weighted_twin_equal_the_formula_as_a_loop(batch: tuple[int, int, int]) -> None:
    count, dim, seed = batch
    drone, tile, same = _unit(count, dim, seed), _unit(count, dim, seed + 1), _same_place(count, seed)
    spec = DphrSpec()
    distances = cross_distances(drone, tile)
    weights = rda_weights(distances, spec.w_min, spec.w_max)
    assert all_triplets(distances, spec.margin, same).item() == pytest.approx(
        _loop_triplets(drone, tile, same, spec, weighted=False), abs=1e-6
    )
    assert all_triplets(distances, spec.margin, same, weights).item() == pytest.approx(
        _loop_triplets(drone, tile, same, spec, weighted=True), abs=1e-6
    )


@given(batches, st.floats(0.0, 0.5))
@settings(max_examples=30, deadline=None)
def test_info_nce_equals_its_definition_as_a_loop_without_pairs_of_one_place(
    batch: tuple[int, int, int], smoothing: float
) -> None:
    count, dim, seed = batch
    drone, tile, same = _unit(count, dim, seed), _unit(count, dim, seed + 1), _same_place(count, seed)
    want = 0.0
    for query, gallery in ((drone, tile), (tile, drone)):
        for i in range(count):
            kept = [k for k in range(count) if k == i or not same[i, k]]
            logits = {k: 10.0 * float(query[i] @ gallery[k]) for k in kept}
            log_sum = math.log(sum(math.exp(v) for v in logits.values()))
            mean = sum(v - log_sum for v in logits.values()) / len(kept)
            want -= ((1 - smoothing) * (logits[i] - log_sum) + smoothing * mean) / (2 * count)
    got = symmetric_info_nce(drone, tile, torch.tensor(10.0), label_smoothing=smoothing, same_place=same)
    assert got.item() == pytest.approx(want, rel=1e-9)


def test_rda_weight_of_points_on_a_circle_is_what_paper_and_pencil_say() -> None:
    # Drone at 0 degrees, its tile at 60 (d_p = 1), a negative at 180 (d_n = 2): h = 1/3, w = 0.5 + 1/3.
    distances = cross_distances(_on_circle(0, 180), _on_circle(60, 180))
    weights = rda_weights(distances, 0.5, 1.5)
    assert weights[0, 0, 1].item() == pytest.approx(0.5 + 1 / 3, abs=1e-6)
    # The other way round: tile at 60, its drone at 0 (d_p = 1), the negative drone at 180 (d_n = sqrt 3).
    assert weights[1, 0, 1].item() == pytest.approx(0.5 + 1 / (1 + math.sqrt(3)), abs=1e-6)


def test_batch_hard_takes_the_nearest_negative_of_each_query() -> None:
    drone, tile = _unit(6, 4, 0), _unit(6, 4, 1)
    distances = cross_distances(drone, tile)
    want = 0.0
    for query, gallery in ((drone, tile), (tile, drone)):
        for i in range(6):
            nearest = min(_loop_distance(query[i], gallery[k]) for k in range(6) if k != i)
            want += max(_loop_distance(query[i], gallery[i]) - nearest + 0.3, 0.0) / 12
    assert hard_triplets(distances, 0.3).item() == pytest.approx(want, abs=1e-6)


def test_gradients_of_all_losses_agree_with_finite_differences() -> None:
    drone, tile = _unit(4, 3, 2).requires_grad_(), _unit(4, 3, 3).requires_grad_()
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(symmetric_info_nce, (drone, tile, scale))
    # The weights are detached on purpose: the gradient is that of the hinge alone, with the weight as a number.
    spec = DphrSpec(margin=2.5)  # away from the hinge's corner
    weights = rda_weights(cross_distances(drone, tile), spec.w_min, spec.w_max)
    assert torch.autograd.gradcheck(
        lambda d, t: all_triplets(cross_distances(d, t), spec.margin, None, weights), (drone, tile)
    )
    assert not weights.requires_grad


def test_identical_views_have_a_finite_gradient() -> None:
    drone = _unit(4, 3, 2).float().requires_grad_()
    loss = all_triplets(cross_distances(drone, drone.detach()))
    loss.backward()
    assert drone.grad is not None
    assert torch.isfinite(drone.grad).all()


def test_palw_follows_the_fall_of_the_loss_and_starts_at_zero() -> None:
    spec = DphrSpec(window=3, beta=0.5, alpha_max=2.0)
    palw, losses, want = Palw(spec), [1.0, 0.8, 0.6, 0.4, 0.2, 0.9, 0.1, 0.1], 0.0
    for t, loss in enumerate(losses):
        seen = losses[: t + 1]
        recent, reference = seen[-3:], seen[:3]
        fallen = 1 - (sum(recent) / len(recent)) / (sum(reference) / len(reference))
        want = 0.5 * want + 0.5 * 2.0 * min(max(fallen, 0.0), 1.0)
        assert palw.update(loss) == pytest.approx(want, abs=1e-12)
        if t < 3:
            assert palw.lambda_t == 0.0


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=40), st.integers(1, 10), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_palw_continues_from_its_saved_state_as_if_never_stopped(losses: list[float], window: int, cut: int) -> None:
    spec = DphrSpec(window=window)
    whole, before, after = Palw(spec), Palw(spec), Palw(spec)
    for loss in losses:
        whole.update(loss)
    for loss in losses[:cut]:
        before.update(loss)
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    for loss in losses[cut:]:
        after.update(loss)
    assert after.lambda_t == whole.lambda_t


def test_each_part_of_dphr_can_be_switched_off() -> None:
    distances = cross_distances(_unit(5, 4, 0), _unit(5, 4, 1))
    plain = all_triplets(distances, 0.3).item()
    off = DphrSpec(rda=False, palw=False, fixed_lambda=2.0)
    assert dphr(distances, Palw(off), off).loss.item() == pytest.approx(3 * plain)
    first = dphr(distances, Palw(DphrSpec()), DphrSpec())
    assert (first.lambda_t, first.loss.item()) == (0.0, pytest.approx(plain))
    with pytest.raises(TrainError, match="w_min"):
        DphrSpec(w_min=2.0, w_max=1.0)


@pytest.mark.parametrize("host", ["info_nce", "triplet", "hard_triplet", "none"])
def test_every_host_adds_to_dphr(host: str) -> None:
    drone, tile = _unit(5, 4, 0).float(), _unit(5, 4, 1).float()
    with_dphr, alone = Objective(host, DphrSpec(), 0.1), Objective(host, None, 0.1)
    terms = with_dphr(drone, tile)
    assert terms.loss.item() == pytest.approx(alone(drone, tile).host + terms.triplet, rel=1e-5)
