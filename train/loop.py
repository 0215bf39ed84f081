"""The training loop, as a generator: one result a step; schedule, curves and files stay with the caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer

from runtime.errors import TrainError
from train.data.batch import Batch
from train.encoder import Encoder
from train.losses.objective import Objective


class StepResult(NamedTuple):
    """What one step did."""

    loss: float
    host: float
    triplet: float  # unweighted, NaN without DPHR
    lambda_t: float
    scale: float  # 1 / temperature
    grad_norm: float


def train_steps(
    encoder: Encoder,
    objective: Objective,
    batches: Iterable[Batch],
    optimizer: Optimizer,
    *,
    device: torch.device,
    clip_norm: float,
) -> Iterator[StepResult]:
    """Train on each batch and yield its result; raises TrainError when the loss is no longer a number."""
    params = [*encoder.parameters(), *objective.parameters()]
    encoder.train()
    for batch in batches:
        # One pass for both views: batch statistics are of both, as they are on board.
        images = torch.cat([batch.drone, batch.tile]).to(device, non_blocking=True)
        drone, tile = encoder(images).chunk(2)
        terms = objective(drone, tile, batch.same_place().to(device))
        if not torch.isfinite(terms.loss):
            raise TrainError(
                f"the loss is {terms.loss.item()} (host {terms.host}, triplet {terms.triplet}, "
                f"scale {objective.scale.item():.1f}); resume from the last checkpoint with a smaller --lr"
            )
        optimizer.zero_grad(set_to_none=True)
        terms.loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(params, clip_norm)
        optimizer.step()
        yield StepResult(
            terms.loss.item(), terms.host, terms.triplet, terms.lambda_t, objective.scale.item(), grad_norm.item()
        )
