"""One process or many: what a training step needs to know of the others."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """This process among its equals; a single process is the first of one."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """The one that writes files and talks."""
        return self.rank == 0

    def gathered(
        self,
        rows: Tensor,  # (B, ...)
    ) -> Tensor:  # (world * B, ...)
        """The rows of all ranks in their order; gradients flow back to where the rows came from."""
        return rows

    def mean(self, value: float) -> float:
        """The mean over ranks, the same bits on each."""
        return value
