"""The losses of local features, on a pair of views whose warp is known.

- *Descriptors*: a point of one view against all cells of the other and the point's own place there, by InfoNCE in both
  directions (XFeat's dual softmax, with cells in place of other points). Cells that overlap the right place are neither
  right nor wrong.
- *Reliability*: does the nearest of all those lie at the right place? The share that did, learnt as a probability.
- *Keypoints*: the teacher's, as the class of a cell.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from train.local.network import PIXELS, STRIDE_PX, LocalMaps
from train.local.pairs import MatchedPair

TEMPERATURE = 0.07
_APART = 1.5  # cells: nearer ones show the same
_TAUGHT_MIN = 0.03  # a fainter keypoint is none


class SharedPoints(NamedTuple):
    """Places of one pair that both views show, in pixels of each."""

    drone: Tensor  # (M, 2)
    tile: Tensor  # (M, 2)


class LocalLosses(NamedTuple):
    """A batch's losses and how often the nearest descriptor was the right one."""

    descriptor: Tensor
    reliability: Tensor
    keypoint: Tensor
    right: float

    def total(self) -> Tensor:  # ()
        """Return what is minimised."""
        return self.descriptor + self.keypoint + 0.5 * self.reliability

    def as_numbers(self) -> dict[str, float]:
        """Return all of it as plain numbers, by name."""
        return {name: torch.as_tensor(value).item() for name, value in self._asdict().items()}


def local_loss(
    drone: LocalMaps,
    tile: LocalMaps,
    pair: MatchedPair,
    points: int,
    generator: torch.Generator,
) -> LocalLosses:
    """Return the losses of a batch, at ``points`` places a pair."""
    descriptor, reliability, right, n = torch.zeros(()), torch.zeros(()), 0.0, 0
    for b in range(len(pair.drone)):
        shared = shared_points(pair.tile_from_drone[b], pair.taught_drone[b], points, generator)
        if shared is None:
            continue
        for mine, other, at, at_other in (
            (drone, tile, shared.drone, shared.tile),
            (tile, drone, shared.tile, shared.drone),
        ):
            loss, hits = matched(mine.descriptor[b], other.descriptor[b], at, at_other)
            trusted = sampled(mine.reliability[b], at)[:, 0]
            descriptor = descriptor + loss
            reliability = reliability + F.binary_cross_entropy_with_logits(trusted, hits.float())
            right, n = right + float(hits.float().mean()), n + 1
    n = max(n, 1)
    seen = ~pair.tile_from_drone[..., 0].isnan()
    on_drone, on_tile = (
        taught_loss(drone.keypoint, pair.taught_drone, seen),
        taught_loss(tile.keypoint, pair.taught_tile),
    )
    return LocalLosses(descriptor / n, reliability / n, (on_drone + on_tile) / 2, right / n)


def shared_points(
    tile_from_drone: Tensor,  # (S, S, 2)
    taught: Tensor,  # (S, S)
    count: int,
    generator: torch.Generator,
) -> SharedPoints | None:
    """Draw places, half anywhere, half where the teacher sees keypoints; None where hardly anything is shared."""
    side = len(tile_from_drone)
    inside = (tile_from_drone >= 0).all(dim=-1) & (tile_from_drone <= side - 1).all(dim=-1)  # NaN is in neither
    flat = inside.flatten().nonzero()[:, 0]
    if len(flat) < count:
        return None
    anywhere = flat[torch.randint(len(flat), (count // 2,), generator=generator)]
    weight = taught.flatten()[flat] + 1e-6
    marked = flat[torch.multinomial(weight, count - count // 2, generator=generator)]
    chosen = torch.cat([anywhere, marked])
    at = torch.stack([chosen % side, chosen // side], dim=1).float()
    return SharedPoints(at, tile_from_drone.reshape(-1, 2)[chosen])


def matched(
    mine: Tensor,  # (64, h, w) unit-norm
    other: Tensor,  # (64, h, w)
    at: Tensor,  # (M, 2) pixels of ``mine``
    at_other: Tensor,  # (M, 2) the same places in ``other``
) -> tuple[Tensor, Tensor]:  # scalar, (M,) bool
    """Return InfoNCE of points against cells, and whether the best lies where it should."""
    height, width = other.shape[1:]
    query, answer = sampled(mine, at), sampled(other, at_other)
    right = (query * answer).sum(dim=1, keepdim=True)
    wrong = query @ other.flatten(1)
    near = _cell_distance(at_other, height, width) < _APART
    logits = torch.cat([right, wrong.masked_fill(near, -10.0)], dim=1) / TEMPERATURE
    target = torch.zeros(len(at), dtype=torch.long)
    hits = right[:, 0].detach() > wrong.detach().masked_fill(near, -10.0).amax(dim=1)
    return F.cross_entropy(logits, target), hits


def sampled(
    maps: Tensor,  # (C, h, w) at the stride
    at: Tensor,  # (M, 2) pixels
) -> Tensor:  # (M, C), unit-norm where C is a descriptor's
    """Read values between the cells' centres."""
    height, width = maps.shape[1:]
    size = torch.tensor([width, height]) * STRIDE_PX
    grid = (at + 0.5) / size * 2 - 1
    values = F.grid_sample(maps[None], grid[None, None], align_corners=False, padding_mode="border")[0, :, 0].T
    return F.normalize(values, dim=1) if len(maps) > 1 else values


def taught_loss(
    logits: Tensor,  # (B, 17, h, w)
    taught: Tensor,  # (B, S, S)
    seen: Tensor | None = None,  # (B, S, S); None where all is seen
) -> Tensor:
    """Return the cross entropy of each cell's class; the few cells with a keypoint weigh as much as the others."""
    cells = F.pixel_unshuffle(taught[:, None], STRIDE_PX)  # (B, 16, h, w)
    strength, pixel = cells.max(dim=1)
    has = strength > _TAUGHT_MIN
    target = torch.where(has, pixel, PIXELS)
    loss = F.cross_entropy(logits, target, reduction="none")
    if seen is not None:
        whole = F.max_pool2d((~seen)[:, None].float(), STRIDE_PX)[:, 0] == 0
        has, none = has & whole, ~has & whole
    else:
        none = ~has
    return (loss[has].mean() if has.any() else loss.sum() * 0) * 0.5 + loss[none].mean() * 0.5


def _cell_distance(
    at: Tensor,  # (M, 2) pixels
    height: int,
    width: int,
) -> Tensor:  # (M, height * width) cells
    """Return how far each cell is from each place, the longer of rows and columns."""
    x = (at[:, 0] + 0.5) / STRIDE_PX - 0.5
    y = (at[:, 1] + 0.5) / STRIDE_PX - 0.5
    dx = (x[:, None] - torch.arange(width)).abs()  # (M, w)
    dy = (y[:, None] - torch.arange(height)).abs()  # (M, h)
    return torch.maximum(dy[:, :, None], dx[:, None, :]).flatten(1)
