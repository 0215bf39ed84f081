"""Pictures become rows: in order, as squares, cut or summed with their mirror image, or an error that counts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import DataError
from tests.train.scoring.sets import drone_set, flat_shot, mean_colours
from train.data.dataset import PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.retrieval_set import RetrievalPicture
from train.data.view_pair import ViewSpec
from train.model.encoder import Encoder, EncoderSpec
from train.scoring.embed import (
    VIEWS_SEED,
    embed_sets,
    embed_shots,
    embed_with,
    flipped_too,
    rank_set,
    score_views,
    shortened,
    stacked,
    view_sets,
)


def test_rendered_views_as_a_set_score_as_a_runs_validation_does(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice(None), ViewSpec())
    views = PairDataset(sources, seed=VIEWS_SEED, side_px=32, strength=0.3)
    sets = view_sets(views)
    rows = embed_sets(mean_colours, sets, 32, workers=2)
    assert [rank_set(drone_to_tile, rows).scores() for drone_to_tile in sets] == list(score_views(mean_colours, views))


def test_pictures_are_embedded_in_order_whatever_their_shape_and_the_number_of_threads() -> None:
    shots = [flat_shot(k % 25, k) for k in range(70)]
    rows = embed_shots(mean_colours, shots, 8, workers=5)
    want = [mean_colours(np.full((1, 8, 8, 3), shot.read()[0, 0]))[0] for shot in shots]
    assert np.array_equal(rows, np.stack(want))


def test_shortened_and_flipped_embeddings_are_of_unit_norm_again() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)

    def left(batch: np.ndarray) -> np.ndarray:
        return mean_colours(batch[:, :, :4])

    rows = shortened(left, 2)(pictures)
    assert np.allclose(rows, left(pictures)[:, :2] / np.linalg.norm(left(pictures)[:, :2], axis=1, keepdims=True))
    both = left(pictures) + mean_colours(pictures[:, :, 4:])
    assert np.allclose(flipped_too(left)(pictures), both / np.linalg.norm(both, axis=1, keepdims=True))


def test_a_set_without_a_readable_picture_is_a_data_error() -> None:
    def gone() -> np.ndarray:
        raise DataError("x.jpg is missing")

    with pytest.raises(DataError, match=r"1 of 1 pictures cannot be scored; the first: x\.jpg is missing"):
        embed_shots(mean_colours, [RetrievalPicture("x", "0", gone)], 8, workers=1)


def test_a_picture_that_two_sets_share_is_embedded_once() -> None:
    drones, tiles = [flat_shot(k, 1) for k in range(3)], [flat_shot(k, 0) for k in range(4)]
    seen: list[int] = []

    def counted(pictures: np.ndarray) -> np.ndarray:
        seen.append(len(pictures))
        return mean_colours(pictures)

    rows = embed_sets(counted, [drone_set(drones, tiles), drone_set(tiles, drones)], 8, workers=2)
    assert sum(seen) == len(rows) == 7
    assert np.allclose(stacked(rows, tiles[2:]), mean_colours(np.stack([tiles[k].read() for k in (2, 3)])))


def test_an_encoder_as_a_function_keeps_its_mode_and_computes_as_in_flight() -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderSpec(dim=8, side_px=32, init="random", backbone="test_efficientnet"))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    statistics = {name: value.clone() for name, value in encoder.state_dict().items() if "running" in name}
    rows = embed_with(encoder.train())(pictures)
    assert encoder.training
    assert all(torch.equal(encoder.state_dict()[name], value) for name, value in statistics.items())
    with torch.inference_mode():
        assert np.allclose(rows, encoder.eval()(torch.from_numpy(pictures)).numpy(), atol=1e-6)
    embed_with(encoder)(pictures)
    assert not encoder.training
