"""Losses are what a slow loop says, at places that both views show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.train.local.conftest import warped
from train.local.losses import (
    TEMPERATURE,
    LocalLosses,
    local_loss,
    matched,
    sampled,
    shared_points,
    taught_loss,
)
from train.local.network import PIXELS, STRIDE_PX, LocalMaps
from train.local.pairs import MatchedPair


def test_points_are_where_both_views_show_the_same() -> None:
    views = warped(0)
    warp = np.where(views.drone_seen[..., None], views.tile_from_drone, np.nan)
    points = shared_points(torch.from_numpy(warp), torch.zeros(96, 96), 64, torch.Generator().manual_seed(0))
    assert points is not None
    for at, there in zip(points.drone.int().tolist(), points.tile, strict=True):
        assert views.drone_seen[at[1], at[0]]
        assert there.tolist() == pytest.approx(warp[at[1], at[0]].tolist())
    nothing = torch.full((96, 96, 2), torch.nan)
    assert shared_points(nothing, torch.zeros(96, 96), 64, torch.Generator()) is None


def test_matching_is_what_a_slow_loop_says() -> None:
    generator = torch.Generator().manual_seed(0)
    mine, other = (torch.nn.functional.normalize(torch.randn(8, 6, 7, generator=generator), dim=0) for _ in range(2))
    at, there = torch.rand(2, 10, 2, generator=generator) * torch.tensor([7.0, 6.0]) * STRIDE_PX - 0.5
    loss, found = matched(mine, other, at, there)
    losses, right = [], []
    for a, b in zip(at, there, strict=True):
        asked, true = sampled(mine, a[None])[0], sampled(other, b[None])[0]
        logits = [float(asked @ true)]
        for row in range(6):
            for column in range(7):
                away = max(abs((b[0] + 0.5) / 4 - 0.5 - column), abs((b[1] + 0.5) / 4 - 0.5 - row))
                if away >= 1.5:
                    logits.append(float(asked @ other[:, row, column]))
        given = torch.tensor(logits) / TEMPERATURE
        losses.append(float(given.logsumexp(0) - given[0]))
        right.append(logits[0] > max(logits[1:]))
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-4)
    assert found.tolist() == right


def test_values_are_read_at_the_middles_of_cells() -> None:
    rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    one = (rows * 10 + columns)[None]
    at = torch.stack([columns.flatten(), rows.flatten()], dim=1) * STRIDE_PX + (STRIDE_PX - 1) / 2
    assert torch.allclose(sampled(one, at)[:, 0], one.flatten(), atol=1e-5)


def test_a_cells_class_is_where_the_teachers_keypoint_lies_in_it() -> None:
    taught = torch.zeros(1, 8, 8)
    taught[0, 2, 5] = 0.9  # of cell (0, 1), row 2, column 1: class 9
    right = torch.full((1, PIXELS + 1, 2, 2), -20.0)
    right[0, PIXELS] = 20.0
    right[0, :, 0, 1] = -20.0
    right[0, 2 * STRIDE_PX + 1, 0, 1] = 20.0
    assert float(taught_loss(right, taught)) < 1e-3
    assert float(taught_loss(right.flip(-1), taught)) > 5


def test_half_of_the_places_are_where_the_teacher_sees_keypoints() -> None:
    warp = torch.from_numpy(np.stack(np.meshgrid(np.arange(64.0), np.arange(64.0)), axis=-1))
    taught = torch.zeros(64, 64)
    taught[:16] = 0.9  # a quarter of the view
    points = shared_points(warp, taught, 200, torch.Generator().manual_seed(0))
    assert points is not None
    marked = int((points.drone[:, 1] < 16).sum())
    assert 110 < marked < 145, "a hundred, and a quarter of the other hundred"
    assert torch.equal(points.drone, points.tile.float()), "this warp moves nothing"


def maps(descriptor: torch.Tensor, sure: float = 0.0) -> LocalMaps:
    """A batch of one, its keypoints saying that there are none."""
    cells = descriptor.shape[1:]
    keypoint = torch.full((1, PIXELS + 1, *cells), -20.0)
    keypoint[:, PIXELS] = 20.0
    return LocalMaps(descriptor[None], keypoint, torch.full((1, 1, *cells), sure))


def pair(side_px: int = 64) -> MatchedPair:
    """Two views that are pixel on pixel, without keypoints."""
    rows, columns = torch.meshgrid(torch.arange(float(side_px)), torch.arange(float(side_px)), indexing="ij")
    blank = torch.zeros((1, side_px, side_px, 3), dtype=torch.uint8)
    none = torch.zeros(1, side_px, side_px)
    return MatchedPair(blank, blank, torch.stack([columns, rows], dim=-1)[None], none, none)


def random_descriptor(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(64, 16, 16, generator=generator), dim=0)


def test_equal_maps_match_and_unlike_ones_do_not() -> None:
    generator = torch.Generator().manual_seed(0)
    same = local_loss(maps(random_descriptor(1)), maps(random_descriptor(1)), pair(), 64, generator)
    other = local_loss(maps(random_descriptor(1)), maps(random_descriptor(2)), pair(), 64, generator)
    assert same.right > 0.95
    assert other.right < 0.1
    assert float(same.descriptor) < 0.5 * float(other.descriptor)
    assert float(same.keypoint) < 1e-3


def test_trust_in_a_descriptor_that_is_right_costs_nothing_and_in_a_wrong_one_much() -> None:
    def reliability(mine: int, other: int, sure: float) -> float:
        views = maps(random_descriptor(mine), sure), maps(random_descriptor(other), sure)
        return float(local_loss(*views, pair(), 64, torch.Generator().manual_seed(0)).reliability)

    assert reliability(1, 1, 8.0) < 0.3 < reliability(1, 1, -8.0)
    assert reliability(1, 2, -8.0) < 0.8 < reliability(1, 2, 8.0)


def test_a_pair_that_shares_nothing_adds_nothing() -> None:
    nothing = pair()._replace(tile_from_drone=torch.full((1, 64, 64, 2), torch.nan))
    losses = local_loss(maps(random_descriptor(1)), maps(random_descriptor(1)), nothing, 64, torch.Generator())
    assert (float(losses.descriptor), float(losses.reliability), losses.right) == (0.0, 0.0, 0.0)


def test_cells_that_the_camera_did_not_see_whole_teach_nothing() -> None:
    taught = torch.zeros(1, 16, 16)
    taught[0, 1, 1] = 0.9  # of cell (0, 0), of which a pixel was not seen
    seen = torch.ones(1, 16, 16, dtype=torch.bool)
    seen[0, 3, 3] = False
    none_anywhere = torch.full((1, PIXELS + 1, 4, 4), -20.0)
    none_anywhere[:, PIXELS] = 20.0
    assert float(taught_loss(none_anywhere, taught, seen)) < 1e-3
    assert float(taught_loss(none_anywhere, taught)) > 5


def test_numbers_of_a_batch_and_what_is_minimised() -> None:
    losses = LocalLosses(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(4.0), 0.5)
    assert losses.as_numbers() == {"descriptor": 1.0, "reliability": 2.0, "keypoint": 4.0, "right": 0.5}
    assert float(losses.total()) == 1.0 + 4.0 + 0.5 * 2.0
