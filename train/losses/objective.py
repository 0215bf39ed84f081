"""The loss that a run minimises: a host, DPHR, or both; on whole embeddings, or on their prefixes too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runtime.errors import SettingsError
from train.choices import HOSTS, Host
from train.losses.distances import as_distances, at_least_float32, cross_cosines
from train.losses.dphr import DphrSpec, dphr_terms, hardness
from train.losses.info_nce import symmetric_info_nce
from train.losses.multi_similarity import multi_similarity
from train.losses.palw import Palw, PalwState
from train.losses.soft_margin import soft_margin
from train.losses.triplet import all_triplets, hard_triplets

_MAX_LOG_SCALE = math.log(100.0)  # CLIP's bound: beyond it one pair decides the gradient


class Terms(NamedTuple):
    """The loss of one step, and its parts for curves: those of whole embeddings, with prefixes or without."""

    loss: Tensor  # () what is minimised
    host: float
    triplet: float  # L_tri, NaN without DPHR
    weighted: float  # L_wtri, NaN without DPHR
    lambda_t: float


class _Parts(NamedTuple):
    """The losses at one length of embeddings."""

    host: Tensor  # ()
    triplet: Tensor  # () L_tri
    weighted: Tensor  # () L_wtri


class Objective(nn.Module):
    """The sum ``L_host + L_tri + lambda_t L_wtri``, with the learnable temperature and PALW; it saves both.

    With ``matryoshka`` it is the mean of that over renormalised prefixes of these lengths and the whole (Kusupati et
    al., "Matryoshka Representation Learning", NeurIPS 2022; their sum, but a mean leaves the learning rate as it is).
    One PALW serves all prefixes and listens to the whole embedding: lambda is the progress of the training, not of a
    length; a short prefix has a higher loss to the end and would hold lambda down by how many of them there are.
    """

    def __init__(
        self,
        host: Host,
        dphr_spec: DphrSpec | None,
        label_smoothing: float = 0.1,
        *,
        matryoshka: tuple[int, ...] = (),
        mean: Callable[[float], float] = lambda value: value,  # over ranks
    ) -> None:
        """Start at CLIP's temperature, 0.07; without ``dphr_spec`` the host loss stands alone. Raises SettingsError."""
        super().__init__()
        if host not in HOSTS:
            raise SettingsError(f"--host {host}: expected one of {', '.join(HOSTS)}")
        self.host = host
        self.dphr_spec = dphr_spec
        self.label_smoothing = label_smoothing
        self.matryoshka = matryoshka
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / 0.07)))
        self.palw = Palw(dphr_spec, mean) if dphr_spec else None

    @property
    def scale(self) -> Tensor:
        """Return 1 / temperature, () positive."""
        return self.log_scale.exp()

    def forward(
        self,
        drone: Tensor,  # (B, D) unit-norm
        tile: Tensor,  # (B, D) unit-norm
        same_place: Tensor | None = None,  # (B, B) bool
    ) -> Terms:
        """Return the terms of one step; moves PALW on, so it is called once a step. Raises SettingsError."""
        with torch.no_grad():
            self.log_scale.clamp_(max=_MAX_LOG_SCALE)  # in place: a clamp in the graph would hold it there for good
        lengths = [self._parts(*views, same_place) for views in self._lengths(drone, tile)]  # the whole one first
        host_now, triplet_now, weighted_now = torch.stack(lengths[0]).tolist()  # the one wait for the device
        if self.palw is None:
            return Terms(_mean([parts.host for parts in lengths]), host_now, math.nan, math.nan, 0.0)
        lambda_t = self.palw.update(triplet_now)
        loss = _mean([host + (triplet + lambda_t * weighted) for host, triplet, weighted in lengths])
        return Terms(loss, host_now, triplet_now, weighted_now, lambda_t)

    @torch.no_grad()
    def hardness(
        self,
        drone: Tensor,  # (B, D) unit-norm
        tile: Tensor,  # (B, D) unit-norm
        same_place: Tensor | None = None,  # (B, B) bool
    ) -> Tensor:  # (n,) in (0, 1)
        """Return RDA's hardness of all triplets of a batch, for a histogram."""
        return hardness(as_distances(cross_cosines(drone, tile), self._geometry.distance), same_place)

    @property
    def _geometry(self) -> DphrSpec:
        """Return DPHR's distance and margin; every host has them, so that the arms of an ablation compare."""
        return self.dphr_spec or DphrSpec()

    def _lengths(self, drone: Tensor, tile: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the whole embeddings, then their renormalised prefixes; raises SettingsError."""
        yield drone, tile
        for dim in self.matryoshka:
            if dim > drone.shape[1]:
                raise SettingsError(f"--matryoshka {dim}: embeddings are {drone.shape[1]} long; expected no more")
            if dim < drone.shape[1]:
                first, second = (F.normalize(at_least_float32(rows[:, :dim]), dim=1) for rows in (drone, tile))
                yield first, second

    def _parts(self, drone: Tensor, tile: Tensor, same_place: Tensor | None) -> _Parts:
        """Return the losses at one length."""
        cosines = cross_cosines(drone, tile)
        distances = as_distances(cosines, self._geometry.distance)
        host = self._host_loss(cosines, distances, same_place)
        if self.dphr_spec is None:
            return _Parts(host, torch.zeros_like(host), torch.zeros_like(host))
        return _Parts(host, *dphr_terms(distances, self.dphr_spec, same_place))

    def _host_loss(self, cosines: Tensor, distances: Tensor, same_place: Tensor | None) -> Tensor:  # ()
        """Return the loss of the host, 0 where there is none."""
        match self.host:
            case "info_nce":
                smoothing = self.label_smoothing
                return symmetric_info_nce(cosines, self.scale, label_smoothing=smoothing, same_place=same_place)
            case "triplet":
                return all_triplets(distances, self._geometry.margin, same_place)
            case "hard_triplet":
                return hard_triplets(distances, self._geometry.margin, same_place)
            case "soft_margin":
                return soft_margin(distances, same_place=same_place)
            case "multi_similarity":
                return multi_similarity(cosines, same_place=same_place)
            case _:
                return distances.new_zeros(())

    def get_extra_state(self) -> PalwState | dict[str, float]:
        """Return PALW's state, so that it is in every checkpoint of this module; empty without PALW."""
        return self.palw.state_dict() if self.palw else {}

    def set_extra_state(self, state: PalwState) -> None:
        """Continue where :meth:`get_extra_state` was taken."""
        if self.palw and state:
            self.palw.load_state_dict(state)


def _mean(losses: list[Tensor]) -> Tensor:  # () each -> ()
    """Return the mean of the losses."""
    return torch.stack(losses).mean()
