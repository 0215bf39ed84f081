"""Held-out places: scored as a loop over pairs does, with the hardness of the formula, and their mistakes drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.train.fit.runs import open_split
from train.data.dataset import Item, PairDataset
from train.fit.validation import HeldOut, HeldOutRows
from train.losses.dphr import DphrSpec
from train.losses.objective import Objective
from train.model.encoder import Encoder
from train.spec import TrainSpec


class Places(PairDataset):
    """Places without pictures: only their numbers are asked for."""

    def __init__(self, *places: int) -> None:
        self.places = list(places)


def test_places_are_embedded_in_the_views_of_the_first_epoch_whatever_the_mode(tiny: TrainSpec) -> None:
    torch.manual_seed(0)
    data, encoder = open_split(tiny, "val").alone(), Encoder(tiny.encoder).train()
    rows = HeldOut(data).embed(encoder)
    assert encoder.training
    encoder.eval()
    with torch.inference_mode():
        for scene in range(len(data)):
            views = data.views(Item(0, scene))
            for row, picture in ((rows.drone[scene], views.drone), (rows.tile[scene], views.tile)):
                want = encoder(torch.from_numpy(picture[None]))[0].numpy()
                assert np.allclose(row, want, atol=1e-5)


def test_scores_are_of_places_and_not_of_scenes() -> None:
    tile = np.eye(4, dtype=np.float32)
    drone = tile[[1, 0, 2, 3]]  # the first two are taken for each other
    apart = HeldOut(Places(0, 1, 2, 3)).score(HeldOutRows(drone, tile))
    # Their own tiles are as unlike as the two others, and so come last of four: AP 1 / (2 * 4).
    assert (apart.r1, apart.ap) == (0.5, 0.5 + 0.5 / 8)
    together = HeldOut(Places(7, 7, 2, 3)).score(HeldOutRows(drone, tile))
    assert together.r1 == 1.0
    assert (together.queries, together.gallery) == (4, 4)


def test_hardness_is_of_triplets_of_different_places() -> None:
    angles = np.radians([0.0, 60.0, 180.0])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    objective = Objective("info_nce", DphrSpec())
    tile = rows[[1, 1, 2]]  # the first view lies 60 degrees from its tile: d_p = 1
    h = HeldOut(Places(0, 0, 5)).hardness(objective, HeldOutRows(rows, tile))
    # Views at 0, 60, 180; tiles at 60, 60, 180; the first two are one place, so each has one negative a direction.
    chord = {60: 1.0, 120: np.sqrt(3), 180: 2.0}
    want = [1 / (1 + chord[180]), 0.0, 0.0, 0.0, 1 / (1 + chord[120]), 0.0, 0.0, 0.0]
    assert sorted(h.tolist()) == pytest.approx(sorted(want), abs=1e-3)


def test_mistakes_are_drawn_with_the_pictures_of_the_places(tiny: TrainSpec, tmp_path: Path) -> None:
    data = open_split(tiny, "val").alone()
    held_out, count = HeldOut(data), len(data)
    tile = np.eye(count, dtype=np.float32)
    held_out.draw_confusions(HeldOutRows(tile, tile), tmp_path / "none.png")
    held_out.draw_confusions(HeldOutRows(np.roll(tile, 1, axis=0), tile), tmp_path / "all.png")
    none, wrong = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("none", "all"))
    assert none is not None
    assert wrong is not None
    assert wrong.shape[0] > 2 * none.shape[0]  # a row for each mistake
