"""A run so small that a test can afford it: pictures of 32 pixels, a backbone from nothing, places of noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from runtime.types import Picture
from train.data.batch import Batch
from train.data.view_spec import ViewSpec
from train.losses.dphr import DphrSpec
from train.model.encoder import EncoderSpec
from train.spec import TrainSpec

EXACT = ViewSpec(
    tilt_deg=40.0, yaw_error_deg=0.0, tilt_error_deg=0.0, altitude_error=0.0, lens_error=0.0, offset=0.0
)  # telemetry and lens are as told


def draw_place(seed: int, side_px: int = 128) -> Picture:
    """Blots of a few colours: no two places alike, and every part of a place tells where it is."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.uint8)


def draw_blots(seed: int, side_px: int, blot_px: int = 20) -> Picture:
    """Draw a picture as large as a map: blots that differ all over, none of them black."""
    across = side_px // blot_px + 1
    coarse = np.random.default_rng(seed).integers(30, 256, (across, across, 3), dtype=np.uint8)
    blots = np.asarray(cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.maximum(blots, np.uint8(20))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """So small a network is slower on two threads, and far slower where others want the cores too."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four places, one picture each; not to be written to."""
    folder = tmp_path_factory.mktemp("pictures")
    for k in range(24):
        cv2.imwrite(str(folder / f"{k:02d}.png"), draw_place(k))
    return folder


@pytest.fixture
def tiny(pictures: Path) -> TrainSpec:
    return TrainSpec(
        data=(f"overhead:{pictures}@0.6",),
        encoder=EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet"),
        dphr=DphrSpec(window=3),
        augment=0.3,
        batch=8,
        steps=6,
        eval_every=3,
        save_every=3,
        workers=0,
        device="cpu",
    )


@pytest.fixture
def tiny_warm(tiny: TrainSpec) -> TrainSpec:
    return replace(tiny, encoder=replace(tiny.encoder, side_px=48), warm_side_px=32, warm_part=0.5)


@pytest.fixture
def one_batch() -> Callable[[int], Batch]:
    """Pairs of noise by their number, the same ones each time, every one of another place."""

    def make(count: int) -> Batch:
        generator = torch.Generator().manual_seed(0)
        pictures = torch.randint(0, 256, (2, count, 32, 32, 3), dtype=torch.uint8, generator=generator)
        unknown = torch.full((count, 4), torch.nan, dtype=torch.float64)
        return Batch(pictures[0], pictures[1], torch.arange(count), unknown, torch.arange(count))

    return make
