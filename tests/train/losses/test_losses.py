"""Losses against their formulas written again as plain loops over pairs, and values worked out on paper."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from runtime.errors import SettingsError
from train.losses.distances import as_distances, cross_cosines
from train.losses.distill import distillation
from train.losses.dphr import DphrSpec, dphr_terms, hardness, rda_weights
from train.losses.info_nce import symmetric_info_nce
from train.losses.multi_similarity import multi_similarity
from train.losses.palw import Palw
from train.losses.soft_margin import soft_margin
from train.losses.triplet import all_triplets, hard_triplets

Pair = tuple[float, float]  # d_p, d_n


def _unit(count: int, dim: int, seed: int) -> Tensor:
    rows = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=1)


def _on_circle(*degrees: float) -> Tensor:
    return torch.tensor([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in degrees], dtype=torch.float64)


def _distances(drone: Tensor, tile: Tensor, kind: str = "euclidean") -> Tensor:
    return as_distances(cross_cosines(drone, tile), kind)


def _loop_distance(a: Tensor, b: Tensor, kind: str = "euclidean") -> float:
    if kind == "cosine":
        return 1 - sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def _loop_queries(drone: Tensor, tile: Tensor, same: Tensor, kind: str = "euclidean") -> Iterator[list[Pair]]:
    """The triplets of each query, drone frames first; pairs of one place are no negatives of each other."""
    for query, gallery, together in ((drone, tile, same), (tile, drone, same.T)):
        for i in range(len(query)):
            d_p = _loop_distance(query[i], gallery[i], kind)
            kept = [k for k in range(len(gallery)) if k != i and not together[i, k]]
            yield [(d_p, _loop_distance(query[i], gallery[k], kind)) for k in kept]


def _mean_over_triplets(queries: Iterator[list[Pair]], term: Callable[[float, float], float]) -> float:
    terms = [term(d_p, d_n) for pairs in queries for d_p, d_n in pairs]
    return fmean(terms) if terms else 0.0


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Unit rows of drones and tiles, and a mask of pairs of one place, not even symmetric; it may hold them all."""
    count, dim, seed = draw(st.integers(1, 6)), draw(st.integers(2, 6)), draw(st.integers(0, 10_000))
    drawn = torch.rand(count, count, generator=torch.Generator().manual_seed(seed))
    same = (drawn < draw(st.sampled_from([0.0, 0.3, 1.0]))) | torch.eye(count, dtype=torch.bool)
    return _unit(count, dim, seed), _unit(count, dim, seed + 1), same


@given(batches(), st.sampled_from(["euclidean", "cosine"]), st.floats(0.0, 1.0), st.floats(0.0, 2.0))
@settings(max_examples=40, deadline=None)
def test_dphr_equals_the_papers_formulas_as_a_loop(
    batch: tuple[Tensor, Tensor, Tensor], kind: str, w_min: float, width: float
) -> None:
    drone, tile, same = batch
    spec = DphrSpec(distance=kind, w_min=w_min, w_max=w_min + width)

    def hinge(d_p: float, d_n: float) -> float:
        return max(d_p - d_n + spec.margin, 0.0)

    def weighted(d_p: float, d_n: float) -> float:
        return (spec.w_min + (spec.w_max - spec.w_min) * d_p / (d_p + d_n)) * hinge(d_p, d_n)

    got = dphr_terms(_distances(drone, tile, kind), spec, same)
    for loss, term in zip(got, (hinge, weighted), strict=True):
        assert loss.item() == pytest.approx(_mean_over_triplets(_loop_queries(drone, tile, same, kind), term), abs=1e-6)
    assert all_triplets(_distances(drone, tile, kind), spec.margin, same).item() == pytest.approx(got.triplet.item())
    of_real = sorted(d_p / (d_p + d_n) for pairs in _loop_queries(drone, tile, same) for d_p, d_n in pairs)
    assert sorted(hardness(_distances(drone, tile), same).tolist()) == pytest.approx(of_real, abs=1e-6)


@given(batches())
@settings(max_examples=30, deadline=None)
def test_batch_hard_and_soft_margin_equal_their_definitions_as_loops(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    drone, tile, same = batch
    queries = list(_loop_queries(drone, tile, same))
    hardest = fmean(max((max(d_p - d_n + 0.3, 0.0) for d_p, d_n in pairs), default=0.0) for pairs in queries)
    assert hard_triplets(_distances(drone, tile), 0.3, same).item() == pytest.approx(hardest, abs=1e-6)
    soft = _mean_over_triplets(iter(queries), lambda d_p, d_n: math.log1p(math.exp(10 * (d_p - d_n))))
    assert soft_margin(_distances(drone, tile), 10.0, same).item() == pytest.approx(soft, abs=1e-6)


@given(batches(), st.floats(0.0, 0.5))
@settings(max_examples=30, deadline=None)
def test_info_nce_equals_its_definition_as_a_loop(batch: tuple[Tensor, Tensor, Tensor], smoothing: float) -> None:
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


@given(batches())
@settings(max_examples=30, deadline=None)
def test_multi_similarity_equals_its_definition_as_a_loop(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    drone, tile, same = batch
    terms = []
    for pairs, (query, own) in zip(
        _loop_queries(drone, tile, same, "cosine"), [*zip(drone, tile, strict=True)] * 2, strict=True
    ):
        together = math.log1p(math.exp(-2 * (float(query @ own) - 0.5))) / 2
        terms.append(together + math.log1p(sum(math.exp(50 * (1 - d_n - 0.5)) for _, d_n in pairs)) / 50)
    assert multi_similarity(cross_cosines(drone, tile), same_place=same).item() == pytest.approx(fmean(terms), abs=1e-9)


@given(batches(), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_distillation_equals_its_definition_as_a_loop(batch: tuple[Tensor, Tensor, Tensor], teacher_dim: int) -> None:
    student, count = batch[:2], len(batch[0])
    teacher = _unit(count, teacher_dim, 7), _unit(count, teacher_dim, 8)
    terms = []
    for a, b in ((0, 1), (1, 0)):
        for i in range(count):
            p, q = (
                [math.exp(float(views[a][i] @ views[b][k]) / 0.1) for k in range(count)] for views in (teacher, student)
            )
            terms.append(sum(x / sum(p) * math.log((x / sum(p)) / (y / sum(q))) for x, y in zip(p, q, strict=True)))
    assert distillation(*student, *teacher, temperature=0.1).item() == pytest.approx(fmean(terms), abs=1e-9)
    assert distillation(*student, *student).item() == pytest.approx(0.0, abs=1e-12)
    assert not distillation(*student, *(rows.requires_grad_() for rows in teacher)).requires_grad


def test_rda_weight_of_points_on_a_circle_is_what_paper_and_pencil_say() -> None:
    # Drone at 0 degrees, its tile at 60 (d_p = 1), a negative at 180 (d_n = 2): h = 1/3, w = 0.5 + 1/3.
    weights = rda_weights(_distances(_on_circle(0, 180), _on_circle(60, 180)), DphrSpec())
    assert weights[0, 0, 1].item() == pytest.approx(0.5 + 1 / 3, abs=1e-6)
    # The other way round: tile at 60, its drone at 0 (d_p = 1), the negative drone at 180 (d_n = sqrt 3).
    assert weights[1, 0, 1].item() == pytest.approx(0.5 + 1 / (1 + math.sqrt(3)), abs=1e-6)


def test_gradients_of_all_losses_agree_with_finite_differences() -> None:
    drone, tile = _unit(4, 3, 2).requires_grad_(), _unit(4, 3, 3).requires_grad_()
    same = torch.eye(4, dtype=torch.bool)
    same[0, 1] = True
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    teacher = _unit(4, 2, 4), _unit(4, 2, 5)
    losses: list[Callable[[Tensor, Tensor], Tensor]] = [
        lambda d, t: symmetric_info_nce(cross_cosines(d, t), scale, same_place=same),
        lambda d, t: multi_similarity(cross_cosines(d, t), same_place=same),
        lambda d, t: all_triplets(_distances(d, t), 2.5, same),  # a margin away from the hinge's corner
        lambda d, t: hard_triplets(_distances(d, t), 2.5, same),
        lambda d, t: soft_margin(_distances(d, t, "cosine"), 10.0, same),
        lambda d, t: distillation(d, t, *teacher),
    ]
    for loss in losses:
        assert torch.autograd.gradcheck(loss, (drone, tile))
    cosines = cross_cosines(drone.detach(), tile.detach())
    assert torch.autograd.gradcheck(lambda s: symmetric_info_nce(cosines, s, same_place=same), (scale,))


def test_the_gradient_of_the_weighted_loss_takes_the_weight_as_a_number() -> None:
    drone, tile = _unit(4, 3, 2).requires_grad_(), _unit(4, 3, 3)
    spec = DphrSpec(margin=2.5, w_min=0.0, w_max=2.0)
    (got,) = torch.autograd.grad(dphr_terms(_distances(drone, tile), spec).weighted, drone)
    fixed = rda_weights(_distances(drone.detach(), tile), spec)
    distances = _distances(drone, tile)
    want = sum(
        fixed[way, i, k] * (distances[i, i] - (distances[i, k] if way == 0 else distances[k, i]) + spec.margin) / 24
        for way in range(2)
        for i in range(4)
        for k in range(4)
        if i != k
    )
    assert torch.allclose(got, torch.autograd.grad(want, drone)[0])


@pytest.mark.parametrize("kind", ["euclidean", "cosine"])
def test_identical_views_and_a_batch_of_one_place_have_finite_gradients(kind: str) -> None:
    for same in (None, torch.ones(4, 4, dtype=torch.bool)):
        drone = _unit(4, 3, 2).float().requires_grad_()
        cosines = cross_cosines(drone, drone.detach())
        distances = as_distances(cosines, kind)
        losses = [*dphr_terms(distances, DphrSpec(), same), hard_triplets(distances, 0.3, same)]
        losses += [soft_margin(distances, 10.0, same), multi_similarity(cosines, same_place=same)]
        losses += [symmetric_info_nce(cosines, torch.tensor(10.0), same_place=same)]
        (gradient,) = torch.autograd.grad(torch.stack(losses).sum(), drone)
        assert torch.isfinite(gradient).all()


def test_palw_follows_the_fall_of_the_loss_and_starts_at_zero() -> None:
    spec = DphrSpec(window=3, beta=0.5, alpha_max=2.0)
    palw, losses, want = Palw(spec), [1.0, 0.8, 0.6, 0.4, 0.2, 0.9, 0.1, 0.1], 0.0
    for t, loss in enumerate(losses):
        seen = losses[: t + 1]
        fallen = 1 - fmean(seen[-3:]) / fmean(seen[:3])
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


@pytest.mark.parametrize(
    "wrong", [{"w_min": 2.0}, {"margin": math.nan}, {"beta": 1.0}, {"window": 0}, {"alpha_max": math.inf}]
)
def test_a_constant_that_makes_no_sense_names_its_flag(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="--" + next(iter(wrong)).replace("_", "-")):
        DphrSpec(**wrong)  # type: ignore[arg-type]


def test_views_and_tiles_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(2, 4\)"):
        cross_cosines(_unit(3, 4, 0), _unit(2, 4, 0))
    with pytest.raises(ValueError, match="the teacher 2"):
        distillation(*[_unit(3, 4, 0)] * 2, *[_unit(2, 4, 0)] * 2)
