"""Gradients of one batch: in one pass, or a chunk at a time for a GPU that cannot hold the whole batch.

Gradient caching (Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021):
all chunks are embedded without gradients, the loss is taken of all embeddings and its gradients at them are kept, then
each chunk passes again and continues from its part of these. The gradients are those of the whole batch, at the memory
of one chunk and the time of one more forward pass. Not so where batch normalisation follows its batches (--train-norms,
or random weights): it normalises by the statistics of a chunk, so a network trains there as with smaller batches, and
its running statistics move once a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.modules.batchnorm import _BatchNorm


class HasLoss(Protocol):
    """The result of a step, with its loss among other terms."""

    @property
    def loss(self) -> Tensor: ...  # ()


StepTerms = TypeVar("StepTerms", bound=HasLoss)


def backward(
    encoder: nn.Module,
    images: Tensor,  # (N, ...)
    terms_of: Callable[[Tensor], StepTerms],  # of (N, D) embeddings
    *,
    scaler: GradScaler,
    chunk: int,
) -> StepTerms:
    """Add the gradients of ``terms_of(encoder(images)).loss`` to the parameters, and return the terms.

    Passes ``chunk`` pictures at a time, or all where it is 0. Raises ValueError for a loss of nothing.
    """
    if not 0 < chunk < len(images):
        terms = terms_of(encoder(images))
        torch.autograd.backward(scaler.scale(terms.loss))
        return terms
    parts = torch.split(images, chunk)
    rows, states = [], []
    with torch.no_grad(), _statistics_kept(encoder):
        for part in parts:
            states.append(rng_states(images.device))
            rows.append(encoder(part))
    embeddings = torch.cat(rows).requires_grad_()
    terms = terms_of(embeddings)
    torch.autograd.backward(scaler.scale(terms.loss))
    if embeddings.grad is None:
        raise ValueError("the loss does not depend on the embeddings")
    with torch.random.fork_rng(_devices(images.device), device_type=images.device.type):
        for part, state, gradient in zip(parts, states, torch.split(embeddings.grad, chunk), strict=True):
            set_rng_states(images.device, state)  # the same dropout as in the first pass
            torch.autograd.backward(encoder(part), gradient)
    return terms


def rng_states(device: torch.device) -> list[Tensor]:
    """Return the state of the CPU's generator, and of the GPU's where ``device`` is one."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in _devices(device))]


def set_rng_states(device: torch.device, states: list[Tensor]) -> None:
    """Set what :func:`rng_states` returned; a GPU's is left alone where the states came from a machine without."""
    torch.set_rng_state(states[0])
    for gpu, state in zip(_devices(device), states[1:], strict=False):
        torch.cuda.set_rng_state(state, gpu)


def _devices(device: torch.device) -> list[torch.device]:
    """Return the device where it is a GPU."""
    return [device] if device.type == "cuda" else []


@contextmanager
def _statistics_kept(encoder: nn.Module) -> Iterator[None]:
    """Keep batch normalisation from moving its running statistics: the second pass moves them."""
    norms = [module for module in encoder.modules() if isinstance(module, _BatchNorm)]
    before = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, tracked in zip(norms, before, strict=True):
            norm.track_running_stats = tracked
