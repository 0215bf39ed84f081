"""The settings of a training of local features; imports nothing heavy, so that ``--help`` can show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from runtime.errors import TrainError

LocalAmp: TypeAlias = Literal["off", "bf16"]
"""The precision that the network computes in while it learns."""

AMP_CHOICES: tuple[LocalAmp, ...] = get_args(LocalAmp)


@dataclass(frozen=True, slots=True)
class LocalSpec:
    """All that decides a training of local features; saved with the weights. Raises TrainError for a wrong side."""

    data: tuple[str, ...]  # KIND:PATH[@GSD_M][*WEIGHT]
    init: str = "default"  # the bundle whose trunk the network stands on
    only_may_ship: bool = False
    footprint: tuple[float, float] = (50.0, 150.0)  # metres, least and most
    quilt: float = 0.5  # share of scenes sewn of four pictures
    side: int = 256  # pixels
    batch: int = 8  # pairs a step
    points: int = 384  # a pair
    strength: float = 1.0  # 0..1, how much light and season change
    lr: float = 2e-3  # at its highest
    minutes: float = 40.0
    amp: LocalAmp = "off"
    threads: int = 0  # of PyTorch; 0 is all
    workers: int = 1  # processes that draw pairs
    seed: int = 0

    def __post_init__(self) -> None:
        if self.side % 32 or self.side < 64:
            raise TrainError(f"--side {self.side} does not fit; expected a multiple of 32 from 64 on, as --side 256")
