"""Local features: the warp they learn from is the true one, their losses are what a slow loop says, and they learn."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.train.conftest import draw_blots
from train.data.source import Views
from train.data.view_pair import render_views
from train.data.view_spec import ViewSpec
from train.local.__main__ import main
from train.local.losses import TEMPERATURE, matched, sampled, shared_points, taught_loss
from train.local.network import DIM, MULTIPLE_PX, PIXELS, STRIDE_PX, Deployed
from train.local.store import build_network, load_local

WARPED = ViewSpec(footprint_m=(45.0, 60.0), yaw_error_deg=25.0, warp=True)


def warped(seed: int, side_px: int = 96) -> Views:
    chip = draw_blots(seed, 512, blot_px=12)
    return render_views(chip, 0.3, np.random.default_rng(seed), side_px=side_px, spec=WARPED)


@pytest.mark.parametrize("seed", range(6))
def test_the_warp_says_which_pixel_of_the_tile_shows_the_same_ground(seed: int) -> None:
    views = warped(seed)
    assert views.tile_from_drone is not None
    carried = cv2.remap(views.tile, views.tile_from_drone, None, cv2.INTER_LINEAR)
    inside = ((views.tile_from_drone >= 1) & (views.tile_from_drone <= 94)).all(axis=-1) & views.drone_seen
    assert inside.mean() > 0.3
    off = np.abs(carried.astype(int) - views.drone)[inside]
    assert np.median(off) <= 6  # both are resampled once from the chip
    moved = cv2.remap(views.tile, views.tile_from_drone + np.float32(6), None, cv2.INTER_LINEAR)
    assert np.median(np.abs(moved.astype(int) - views.drone)[inside]) > 15


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


def test_a_picture_of_any_size_gives_unit_descriptors_and_probabilities(default_bundle: Path) -> None:
    network = Deployed(build_network(str(default_bundle))).eval()
    height, width = 2 * MULTIPLE_PX, 3 * MULTIPLE_PX
    picture = torch.randint(0, 256, (1, height, width, 3), dtype=torch.uint8)
    with torch.inference_mode():
        descriptor, keypoint, reliability = network(picture)
    cells = (height // STRIDE_PX, width // STRIDE_PX)
    assert descriptor.shape == (1, DIM, *cells)
    assert reliability.shape == (1, *cells)
    assert keypoint.shape == (1, height, width)
    assert torch.allclose(descriptor.norm(dim=1), torch.ones(1, *cells), atol=1e-4)
    in_cell = torch.nn.functional.avg_pool2d(keypoint[None], STRIDE_PX) * PIXELS
    assert 0 < float(in_cell.min()) <= float(in_cell.max()) <= 1 + 1e-4


def test_the_trunk_is_the_encoders_own_and_does_not_learn(default_bundle: Path) -> None:
    network = build_network(str(default_bundle)).train()
    assert not any(p.requires_grad for p in network.trunk.parameters())
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) < 60_000


def test_a_minute_fragment_of_training_is_learnt_from_and_read_back(
    default_bundle: Path, matcher: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--data", f"overhead:{pictures}@0.6", "--teacher", str(matcher), "--side", "64", "--batch", "2"]
    run += ["--points", "64", "--workers", "0", "--footprint", "30", "40", "--init", str(default_bundle)]
    assert main([*run, "--minutes", "0.15", "--out", str(tmp_path)]) == 0
    assert "local.safetensors" in capsys.readouterr().out
    network, about = load_local(tmp_path / "local.safetensors", default_bundle)
    assert about["scores"]["steps"] >= 1
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    fresh = build_network(str(default_bundle))
    assert not torch.equal(network.descriptor.weight, fresh.descriptor.weight)
    assert 0 <= last["right"] <= 1


def test_wrong_input_is_told_in_one_line(
    *, tmp_path: Path, default_bundle: Path, matcher: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", "overhead:nowhere", "--side", "100", "--out", str(tmp_path)]) == 1
    assert "multiple of 32" in capsys.readouterr().err
    nowhere = ["--data", "overhead:nowhere", "--out", str(tmp_path), "--init", str(default_bundle)]
    assert main([*nowhere, "--teacher", str(matcher)]) == 1
    assert "nowhere" in capsys.readouterr().err
    alone = ["--init", str(default_bundle), "--out", str(tmp_path / "run"), "--workers", "0", "--minutes", "0.01"]
    assert main([*alone, "--data", f"site:{pictures}@0.6", "--teacher", str(matcher)]) == 1
    assert "no scenes of val" in capsys.readouterr().err
    assert main([*alone, "--data", "world:1", "--teacher", str(tmp_path)]) == 1
    assert "no manifest.json" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
