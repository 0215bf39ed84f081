"""What a run minimises: a host loss, DPHR, or both."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from train.losses.distances import cross_distances
from train.losses.dphr import DphrSpec, Palw, dphr
from train.losses.info_nce import symmetric_info_nce
from train.losses.triplet import all_triplets, hard_triplets

HOSTS = ("info_nce", "triplet", "hard_triplet", "none")
_MAX_SCALE = 100.0  # CLIP's bound: beyond it one pair decides the gradient


class Terms(NamedTuple):
    """One step's loss and the parts worth a curve."""

    loss: Tensor  # ()
    host: float
    triplet: float  # unweighted, NaN without DPHR
    lambda_t: float


class Objective(nn.Module):
    """Host loss plus DPHR; holds the learnable temperature and PALW's state."""

    def __init__(self, host: str, dphr_spec: DphrSpec | None, label_smoothing: float, margin: float = 0.3) -> None:
        super().__init__()
        self.host = host
        self.dphr_spec = dphr_spec
        self.label_smoothing = label_smoothing
        self.margin = margin
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / 0.07)))
        self.palw = Palw(dphr_spec) if dphr_spec else None

    @property
    def scale(self) -> Tensor:
        return self.log_scale.exp().clamp(max=_MAX_SCALE)

    def forward(
        self,
        drone: Tensor,  # (B, D) unit-norm
        tile: Tensor,  # (B, D) unit-norm
        same_place: Tensor | None = None,  # (B, B) bool
    ) -> Terms:
        """One step's terms; moves PALW on."""
        distances = cross_distances(drone, tile)
        host = self._host(drone, tile, distances, same_place)
        if self.dphr_spec is None or self.palw is None:
            return Terms(host, host.item(), math.nan, 0.0)
        terms = dphr(distances, self.palw, self.dphr_spec, same_place)
        return Terms(host + terms.loss, host.item(), terms.triplet.item(), terms.lambda_t)

    def _host(self, drone: Tensor, tile: Tensor, distances: Tensor, same_place: Tensor | None) -> Tensor:
        if self.host == "info_nce":
            smoothing = self.label_smoothing
            return symmetric_info_nce(drone, tile, self.scale, label_smoothing=smoothing, same_place=same_place)
        if self.host == "triplet":
            return all_triplets(distances, self.margin, same_place)
        if self.host == "hard_triplet":
            return hard_triplets(distances, self.margin, same_place)
        return distances.new_zeros(())
