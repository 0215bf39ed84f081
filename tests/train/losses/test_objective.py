"""The objective as the loop sees it: hosts, prefixes, precision, ranks, and what it keeps over a stop."""

from __future__ import annotations

import math
from io import BytesIO

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from runtime.errors import SettingsError
from train.choices import HOSTS, Host
from train.losses.distances import as_distances, cross_cosines
from train.losses.dphr import DphrSpec, dphr_terms
from train.losses.objective import Objective, Terms
from train.losses.triplet import all_triplets, hard_triplets


def _views(seed: int = 0, noise: float = 0.4) -> tuple[Tensor, Tensor]:  # (6, 16) twice
    """Pairs as an encoder gives them; more noise: earlier in its training."""
    drawn = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(seed))
    drone = normalize(drawn[0], dim=1)
    return drone, normalize(drone + noise * drawn[1], dim=1)


def _after_steps(objective: Objective, steps: int) -> Terms:
    """Terms of a batch late in a training, when lambda is no longer 0."""
    for seed in range(steps - 1):
        objective(*_views(seed, noise=2.0))
    terms: Terms = objective(*_views())
    return terms


@pytest.mark.parametrize("host", HOSTS)
def test_the_loss_is_host_plus_triplet_plus_lambda_times_weighted(host: Host) -> None:
    terms = _after_steps(Objective(host, DphrSpec(window=2)), 5)
    assert terms.lambda_t > 0.01
    assert terms.loss.item() == pytest.approx(terms.host + terms.triplet + terms.lambda_t * terms.weighted, rel=1e-5)
    alone = Objective(host, None)(*_views())
    assert (alone.loss.item(), alone.host) == (pytest.approx(terms.host, rel=1e-5),) * 2
    assert math.isnan(alone.triplet)
    assert (terms.host == 0) == (host == "none")


def test_each_part_of_dphr_can_be_switched_off() -> None:
    for spec in (DphrSpec(rda=False, window=2), DphrSpec(w_min=1.0, w_max=1.0, window=2)):
        flat = _after_steps(Objective("none", spec), 5)
        assert flat.loss.item() == pytest.approx((1 + flat.lambda_t) * flat.triplet, rel=1e-5)
    fixed = Objective("none", DphrSpec(palw=False, fixed_lambda=2.0))
    assert [fixed(*_views()).lambda_t for _ in range(3)] == [2.0] * 3


def test_hosts_take_distance_and_margin_from_dphr() -> None:
    distances = as_distances(cross_cosines(*_views()), "cosine")
    spec = DphrSpec(distance="cosine", margin=0.9)
    for host, loss in (("triplet", all_triplets), ("hard_triplet", hard_triplets)):
        terms = Objective(host, spec)(*_views())
        assert terms.host == pytest.approx(loss(distances, 0.9).item())
        assert terms.triplet == pytest.approx(all_triplets(distances, 0.9).item())


def test_prefixes_are_averaged_and_lambda_listens_to_the_whole() -> None:
    whole, prefixes = (Objective("info_nce", DphrSpec(window=2), matryoshka=dims) for dims in ((), (4, 8, 16)))
    want, got = _after_steps(whole, 5), _after_steps(prefixes, 5)
    assert got[1:] == pytest.approx(want[1:])  # curves and lambda are those of the whole
    drone, tile = _views()
    of_length = []
    for dim in (16, 4, 8):
        d, t = (normalize(rows[:, :dim], dim=1) for rows in (drone, tile))
        parts = dphr_terms(as_distances(cross_cosines(d, t)), DphrSpec())
        of_length.append(Objective("info_nce", None)(d, t).loss + parts.triplet + want.lambda_t * parts.weighted)
    assert got.loss.item() == pytest.approx((sum(of_length) / 3).item(), rel=1e-5)
    with pytest.raises(SettingsError, match="--matryoshka 17"):
        Objective("none", DphrSpec(), matryoshka=(17,))(drone, tile)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_autocast_and_half_precision_embeddings_leave_the_loss_in_float32(host: Host, half: torch.dtype) -> None:
    drone, tile = (rows.to(half) for rows in _views())
    objective = Objective(host, DphrSpec(palw=False), matryoshka=(8,))
    want = objective(drone.float(), tile.float())
    with torch.autocast("cpu", half):
        got = objective(drone, tile)
    assert got.loss.dtype == torch.float32
    assert got.loss.item() == want.loss.item()
    assert got[1:] == want[1:]


@pytest.mark.parametrize("host", HOSTS)
def test_halves_of_a_batch_that_show_one_place_are_two_batches(host: Host) -> None:
    drone, tile = _views()
    half = torch.arange(6) // 3
    objective = Objective(host, DphrSpec(palw=False), matryoshka=(8,))
    together = objective(drone, tile, half[:, None] != half)
    apart = [objective(drone[half == k], tile[half == k]) for k in (0, 1)]
    assert together.loss.item() == pytest.approx((apart[0].loss.item() + apart[1].loss.item()) / 2, rel=1e-5)
    hard = objective.hardness(drone, tile, half[:, None] != half)
    assert len(hard) == 2 * 2 * 6
    assert ((hard > 0) & (hard < 1)).all()


def test_ranks_that_see_other_losses_share_one_lambda() -> None:
    lambdas, seen = [], []
    for rank in (0, 1):
        shared = iter([0.3, 0.2, 0.1, 0.1])
        objective = Objective(
            "none", DphrSpec(window=2), mean=lambda own, shared=shared: seen.append(own) or next(shared)
        )
        lambdas.append([objective(*_views(10 * rank + step, noise=2.0)).lambda_t for step in range(4)])
    assert lambdas[0] == lambdas[1]
    assert lambdas[0][3] > 0
    assert len(set(seen)) == 8


def test_a_saved_objective_goes_on_as_if_it_never_stopped() -> None:
    before, after = (Objective("info_nce", DphrSpec(window=3)) for _ in range(2))
    _after_steps(before, 5)
    file = BytesIO()
    torch.save(before.state_dict(), file)
    file.seek(0)
    after.load_state_dict(torch.load(file, weights_only=True))
    want, got = (_after_steps(objective, 3) for objective in (before, after))
    assert got[1:] == want[1:]
    assert got.lambda_t > 0


def test_the_temperature_learns_and_comes_back_from_its_bound() -> None:
    objective = Objective("info_nce", None, label_smoothing=0.3)
    with torch.no_grad():
        objective.log_scale.fill_(10.0)
    objective(*_views()).loss.backward()
    assert objective.scale.item() == pytest.approx(100.0)
    assert objective.log_scale.grad is not None
    assert objective.log_scale.grad > 0  # smoothed labels want a softer softmax


def test_a_host_that_is_not_known_is_refused() -> None:
    with pytest.raises(SettingsError, match="--host arcface"):
        Objective("arcface", None)
