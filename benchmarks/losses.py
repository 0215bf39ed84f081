"""What DPHR costs: forward and backward against symmetric InfoNCE, and against pytorch-metric-learning.

    python benchmarks/losses.py [--batch 128] [--dim 1024] [--threads 2]

All losses see the same embeddings and take turns, so that a busy machine is unfair to all alike; a ratio is the median
over rounds. InfoNCE is also written as its two library calls, lest ours flatter DPHR by being slow. The library's
triplet loss with its semi-hard miner is given what DPHR covers, both directions of cross-view triplets; its usual call,
one set of both views, mines same-view triplets too. Embeddings are random, or tiles are their views with more or less
noise on them; with little, no semi-hard triplet is left and the library has least to do. On a busy machine two threads
need OMP_WAIT_POLICY=PASSIVE.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F
from report import print_setting
from torch import Tensor

from train.losses.dphr import DphrSpec
from train.losses.objective import Objective

Loss = Callable[[Tensor, Tensor], Tensor]  # unit-norm (B, D) twice -> ()
_MARGIN = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print_setting(args.threads)
    losses = {**_ours(args.batch), **_library(args.batch)}
    print(f"torch {torch.__version__}; forward and backward, B = {args.batch}, D = {args.dim}, {args.rounds} rounds")
    for name, noise in (("random", None), ("half-trained", 2.5), ("trained", 1.0)):
        drone, tile = _embeddings(args.batch, args.dim, noise)
        _print(name, _rounds_ms(losses, drone, tile, args.rounds))


def _ours(batch: int) -> dict[str, Loss]:
    same_place = torch.eye(batch, dtype=torch.bool)  # the loop always gives one
    objectives = {
        "InfoNCE": Objective("info_nce", None),
        "DPHR": Objective("none", DphrSpec()),
        "InfoNCE + DPHR": Objective("info_nce", DphrSpec()),
    }
    losses = {name: _loss_of(objective, same_place) for name, objective in objectives.items()}
    return {"InfoNCE, two calls": _two_calls(batch), **losses}


def _loss_of(objective: Objective, same_place: Tensor) -> Loss:
    return lambda drone, tile: objective(drone, tile, same_place).loss


def _two_calls(batch: int) -> Loss:
    target, scale = torch.arange(batch), torch.nn.Parameter(torch.tensor(14.3))

    def loss(drone: Tensor, tile: Tensor) -> Tensor:
        logits = scale * (drone @ tile.T)
        ways = (F.cross_entropy(x, target, label_smoothing=0.1) for x in (logits, logits.T))
        return torch.stack(list(ways)).mean()

    return loss


def _library(batch: int) -> dict[str, Loss]:
    if find_spec("pytorch_metric_learning") is None:
        print("pytorch-metric-learning is not installed and left out; for it: pip install pytorch-metric-learning")
        return {}
    import pytorch_metric_learning
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import TripletMarginMiner

    print(f"pytorch-metric-learning (PML) {pytorch_metric_learning.__version__}")
    miner = TripletMarginMiner(margin=_MARGIN, type_of_triplets="semihard")
    triplet = TripletMarginLoss(margin=_MARGIN)
    label, other = (
        torch.arange(batch),
        torch.arange(batch),
    )  # one tensor twice would mean one set of rows to the library

    def one_way(query: Tensor, gallery: Tensor) -> Tensor:
        loss: Tensor = triplet(query, label, miner(query, label, gallery, other), gallery, other)
        return loss

    def one_set(drone: Tensor, tile: Tensor) -> Tensor:
        rows, labels = torch.cat([drone, tile]), torch.cat([label, label])
        loss: Tensor = triplet(rows, labels, miner(rows, labels))
        return loss

    return {"PML, cross-view": lambda d, t: (one_way(d, t) + one_way(t, d)) / 2, "PML, one set": one_set}


def _embeddings(batch: int, dim: int, noise: float | None) -> tuple[Tensor, Tensor]:
    """Unit rows; a tile is its view and noise so many times as long, or has nothing to do with it."""
    drone, other = F.normalize(torch.randn(2, batch, dim, generator=torch.Generator().manual_seed(0)), dim=2)
    tile = other if noise is None else F.normalize(drone + noise * other, dim=1)
    return drone.requires_grad_(), tile.requires_grad_()


def _rounds_ms(losses: dict[str, Loss], drone: Tensor, tile: Tensor, rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of each loss in each round, (rounds,); the first tenth warms up."""
    taken: dict[str, list[float]] = {name: [] for name in losses}
    for _ in range(rounds + rounds // 10):
        for name, loss in losses.items():
            drone.grad = tile.grad = None
            started = perf_counter()
            torch.autograd.backward(loss(drone, tile))
            taken[name].append((perf_counter() - started) * 1e3)
    return {name: np.array(ms[-rounds:]) for name, ms in taken.items()}


def _print(embeddings: str, taken_ms: dict[str, np.ndarray]) -> None:
    print(f"\n{embeddings} embeddings: median ms, and over DPHR's in the same round")
    for name, ms in taken_ms.items():
        print(f"  {name:<20} {np.median(ms):7.2f} ms   {np.median(ms / taken_ms['DPHR']):6.2f}")
    for name in ("InfoNCE, two calls", "InfoNCE"):
        print(f"  DPHR / {name:<20} {np.median(taken_ms['DPHR'] / taken_ms[name]):6.2f}   at most 1.5")
    for name in (name for name in taken_ms if name.startswith("PML")):
        print(f"  {name + ' / DPHR':<27} {np.median(taken_ms[name] / taken_ms['DPHR']):6.2f}   at least 3")


if __name__ == "__main__":
    main()
