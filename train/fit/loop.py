"""The training loop, as a generator: one result a step; schedule, curves and files stay with the caller."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from runtime.errors import TrainError
from train.data.batch import Batch
from train.fit.distributed import Ranks
from train.fit.gradient_cache import backward
from train.losses.distill import distillation
from train.losses.objective import Objective, Terms
from train.model.encoder import Encoder
from train.model.teacher import Teacher

_ONE = Ranks()


class StepResult(NamedTuple):
    """The numbers of one step, for the log."""

    loss: float
    host: float
    triplet: float  # unweighted, NaN without DPHR
    weighted: float  # by RDA, NaN without DPHR
    lambda_t: float
    scale: float  # 1 / temperature
    grad_norm: float
    distill: float  # NaN without a teacher


class BadBatchError(TrainError):
    """A batch gave a loss or gradient that is no number; the weights are still those from before it."""

    def __init__(self, message: str, batch: Batch) -> None:
        """Keep the batch, so that it can be looked at."""
        super().__init__(message)
        self.batch = batch


class _StepLoss(NamedTuple):
    """The loss of one step and its parts."""

    loss: Tensor  # ()
    terms: Terms
    distill: float


def train_steps(
    encoder: Encoder,
    objective: Objective,
    batches: Iterable[Batch],
    optimizer: Optimizer,
    *,
    device: torch.device,
    clip_norm: float,
    scaler: GradScaler | None = None,  # of fp16
    chunk: int = 0,  # pictures in one pass; 0: all
    teacher: Teacher | None = None,
    ranks: Ranks = _ONE,
) -> Iterator[StepResult]:
    """Train on each batch and yield its result; raises BadBatchError when a loss or gradient is no number."""
    params = [*encoder.parameters(), *objective.parameters()]
    scaler = scaler or GradScaler(device.type, enabled=False)
    encoder.train()
    for batch in batches:
        # One pass for both views: batch statistics are of both, as they are on board.
        images = torch.cat([batch.drone, batch.tile]).to(device, non_blocking=True)
        taught = teacher.embed(images, chunk) if teacher else None

        def loss_of(embeddings: Tensor, batch: Batch = batch, taught: Tensor | None = taught) -> _StepLoss:
            weight = teacher.weight if teacher else 0.0
            return _loss(objective, embeddings, batch, ranks=ranks, taught=taught, weight=weight)

        optimizer.zero_grad(set_to_none=True)
        done = backward(encoder, images, loss_of, scaler=scaler, chunk=chunk)
        ranks.average_gradients(encoder, objective)
        scaler.unscale_(optimizer)
        grad_norm = nn.utils.clip_grad_norm_(params, clip_norm).item()
        _check_gradient(grad_norm, scaler, batch)
        scaler.step(optimizer)
        scaler.update()
        scale = objective.scale.item()
        yield StepResult(done.loss.item(), *done.terms[1:], scale, grad_norm, done.distill)


def _loss(
    objective: Objective,
    embeddings: Tensor,  # (2B, D): drone views, then tiles
    batch: Batch,
    *,
    ranks: Ranks,
    taught: Tensor | None,  # (2B, D') the teacher's
    weight: float,
) -> _StepLoss:
    """Return the loss of the whole batch of all ranks, which is finite; raises BadBatchError."""
    drone, tile = (ranks.gathered(rows) for rows in embeddings.chunk(2))
    place, footprint = (ranks.gathered(rows.to(drone.device)) for rows in (batch.place, batch.footprint))
    terms = objective(drone, tile, batch._replace(place=place, footprint=footprint).same_place())
    loss, distill = terms.loss, math.nan
    if taught is not None:
        distilled = distillation(drone, tile, *(ranks.gathered(rows) for rows in taught.chunk(2)))
        loss, distill = loss + weight * distilled, distilled.item()
    if not torch.isfinite(loss):
        raise BadBatchError(
            f"the loss is {loss.item()} (host {terms.host}, triplet {terms.triplet}, distillation {distill}, "
            f"scale {objective.scale.item():.1f})",
            batch,
        )
    return _StepLoss(loss, terms, distill)


def _check_gradient(norm: float, scaler: GradScaler, batch: Batch) -> None:
    """Raise BadBatchError for a gradient that is no number; fp16's scaler skips those, but not for ever."""
    if not scaler.is_enabled() and not math.isfinite(norm):
        raise BadBatchError(f"the loss is a number but the length of its gradient is {norm}", batch)
    if scaler.is_enabled() and scaler.get_scale() < 1.0:
        raise BadBatchError("the gradient overflows fp16 at any scale; train with --amp bf16 or --amp off", batch)
