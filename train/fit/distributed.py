"""This process among those that train together: what a step needs to know of the others.

Each rank embeds its block of a batch; embeddings are gathered, and every rank computes the loss of the whole batch. So
the same spec trains the same whatever the number of processes, as long as no layer looks across a batch: BatchNorm is
synchronised on GPUs, and on CPUs sees the statistics of its block alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.modules.batchnorm import _BatchNorm

from runtime.errors import SettingsError, TrainError

_PATIENCE = timedelta(hours=12)  # for the first rank to validate; torchrun ends the others when one is gone
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ranks:
    """A process among its equals; a single one is the first of one."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Tell whether this is the process that writes files, validates and logs."""
        return self.rank == 0

    def block(self, batch: Sequence[_T]) -> Sequence[_T]:
        """Return this rank's part of a batch, of which all have as much; raises SettingsError."""
        size, rest = divmod(len(batch), self.world)
        if rest:
            raise SettingsError(f"--batch {len(batch)} on {self.world} processes: expected a multiple of {self.world}")
        return batch[self.rank * size : (self.rank + 1) * size]

    def gathered(
        self,
        rows: Tensor,  # (B, ...)
    ) -> Tensor:  # (world * B, ...)
        """Gather the rows of all ranks in their order; what gradients all ranks send to a row add up where it is.

        With the same loss on every rank, and parameter gradients averaged, this is the gradient of a single process.
        """
        if self.world == 1:
            return rows
        gathered: Tensor = _Gathered.apply(rows, self)  # type: ignore[no-untyped-call]
        return gathered

    def average_gradients(self, *modules: nn.Module) -> None:
        """Replace gradients, and the running statistics of BatchNorm, by their means over ranks."""
        if self.world == 1:
            return
        parts = [p.grad for module in modules for p in module.parameters() if p.grad is not None]
        norms = (norm for module in modules for norm in module.modules() if isinstance(norm, _BatchNorm))
        parts += [buffer for norm in norms for buffer in norm.buffers() if buffer.is_floating_point()]
        with torch.no_grad():
            flat = torch.cat([part.flatten() for part in parts])  # one exchange, however many layers
            dist.all_reduce(flat)
            means = torch.split(flat / self.world, [part.numel() for part in parts])
            for part, mean in zip(parts, means, strict=True):
                part.copy_(mean.view_as(part))

    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first rank."""
        if self.world == 1:
            return
        with torch.no_grad():
            for tensor in tensors:
                value = tensor.contiguous()
                dist.broadcast(value, src=0)
                tensor.copy_(value)

    def each(self, value: float) -> list[float]:
        """Return the values of all ranks in their order, the same bits on each."""
        if self.world == 1:
            return [value]
        values = [torch.zeros(1, dtype=torch.float64) for _ in range(self.world)]
        dist.all_gather(values, torch.tensor([value], dtype=torch.float64))
        return [v.item() for v in values]

    def mean(self, value: float) -> float:
        """Return the mean over ranks, the same bits on each."""
        return math.fsum(self.each(value)) / self.world

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set on any rank."""
        return any(self.each(flag))

    def first(self, value: float) -> float:
        """Return the value of the first rank."""
        return self.each(value)[0]

    def synchronise_norms(self, encoder: nn.Module) -> None:
        """Let BatchNorm see the batches of all ranks, where there are more and they have GPUs."""
        if self.world > 1 and next(encoder.parameters()).is_cuda:
            from timm.layers import convert_sync_batchnorm  # timm loads after import_timm() mended torchvision

            convert_sync_batchnorm(encoder)


class _Gathered(torch.autograd.Function):
    """The rows of all ranks, with a gradient that goes back to each."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(ranks.world)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient.chunk(ctx.ranks.world)[ctx.ranks.rank], None


@contextmanager
def start_ranks() -> Iterator[Ranks]:
    """Yield this process among those that torchrun started, a single one without it; raises SkyfixError.

    One that fails or is interrupted takes the others down, and only the first to fail raises, and so says why.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    store, ranks = _meet()
    try:
        yield ranks
        dist.barrier()  # all leave together: torchrun ends the first, which still draws, if another dies on its way out
    except BaseException:
        if not _fails_first(store):
            raise SystemExit(1) from None
        raise
    finally:
        dist.destroy_process_group()


def _meet() -> tuple[Any, Ranks]:
    """Find the other processes, and the store that all share; raises SettingsError and TrainError."""
    gpus, local_rank = torch.cuda.device_count(), int(os.environ.get("LOCAL_RANK", "0"))
    if gpus and local_rank >= gpus:
        raise SettingsError(
            f"process {local_rank + 1} of this machine has no GPU of its own: torchrun --nproc-per-node {gpus}"
        )
    if gpus:
        torch.cuda.set_device(local_rank)
    try:
        store, rank, world = next(rendezvous("env://"))
        backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise TrainError(
            f"the processes of this run did not find each other ({error}); start them by torchrun -m train.run, on "
            "each machine with the same --nnodes and --rdzv-endpoint"
        ) from error
    return store, Ranks(rank, world)


def _fails_first(store: Any) -> bool:
    """Tell whether no other process has failed before this one, and note that it has."""
    try:
        return bool(store.add("failures", 1) == 1)
    except RuntimeError:  # the process that kept the store has gone before us
        return False
