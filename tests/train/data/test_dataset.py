"""The same item gives the same pixels in any worker, and unseen ground is the grey that flies."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from runtime.errors import DataError, ImageryError
from runtime.model.preprocess import FILL
from tests.train.conftest import EXACT, draw_place
from train.data.batch import Batch
from train.data.dataset import Item, PairDataset, collate, prepare_worker
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.source import Views
from train.data.view_spec import ViewSpec


def dataset(pictures: Path, *, seed: int = 0, side_px: int = 32) -> PairDataset:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), ViewSpec())
    return PairDataset(sources, seed=seed, side_px=side_px, strength=1.0)


def test_same_seed_epoch_and_scene_give_the_same_bytes_and_others_do_not(pictures: Path) -> None:
    first, again, other = (dataset(pictures, seed=seed) for seed in (1, 1, 2))
    first.views(Item(0, 5))  # what was drawn before must not matter
    for item in (Item(0, 3), Item(4, 3)):
        assert all(np.array_equal(a, b) for a, b in zip(first.views(item)[:3], again.views(item)[:3], strict=True))
        assert not np.array_equal(first.views(item).drone, other.views(item).drone)
    assert not np.array_equal(first.views(Item(0, 3)).drone, first.views(Item(1, 3)).drone)


@given(
    st.lists(
        st.lists(st.builds(Item, st.integers(0, 9), st.integers(0, 20)), min_size=2, max_size=2), min_size=3, max_size=6
    )
)
@settings(max_examples=3, deadline=None)
def test_any_number_of_workers_delivers_the_same_batches(pictures: Path, items: list[list[Item]]) -> None:
    def batches(workers: int) -> list[Batch]:
        loader = DataLoader(
            dataset(pictures),
            batch_sampler=items,
            num_workers=workers,
            worker_init_fn=prepare_worker,
            collate_fn=collate,
        )
        return list(loader)

    want = batches(0)
    for workers in (1, 2):
        for a, b in zip(want, batches(workers), strict=True):
            assert all(torch.equal(x.nan_to_num(), y.nan_to_num()) for x, y in zip(a, b, strict=True))
    assert all(batch.drone.dtype == torch.uint8 for batch in want)


def test_unseen_ground_is_the_grey_that_flies_whatever_the_light(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice(None), replace(ViewSpec(), tilt_deg=50.0))
    views = [sources[0].render(k, np.random.default_rng(k), 48) for k in range(24)]
    scene = next(k for k, view in enumerate(views) if not view.drone_seen.all())
    data = PairDataset(sources, seed=0, side_px=48, strength=1.0)
    for epoch in range(20):
        drone = data.views(Item(epoch, scene)).drone
        rng = np.random.default_rng((0, epoch, scene))
        seen = sources[0].render(scene, rng, 48).drone_seen
        assert (drone[~seen] == FILL).all()


def test_every_place_has_the_weight_of_its_source(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6*3", f"site:{pictures}@0.6"], Choice("train"), ViewSpec())
    data = PairDataset(sources, seed=0, side_px=32, strength=0.0)
    assert data.weights == [3.0] * 21 + [1.0] * 24


def test_a_place_and_the_one_beside_it_are_two_places_of_one_scene(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), replace(ViewSpec(), beside=True))
    data = PairDataset(sources, seed=0, side_px=32, strength=1.0)
    batch = collate([data[Item(0, 3)], data[Item(0, 5)]])
    assert batch.drone.shape == batch.tile.shape == (4, 32, 32, 3)
    assert batch.scene.tolist() == [3, 3, 5, 5]
    assert len(set(batch.place.tolist())) == 4
    assert torch.equal(batch.same_place(), torch.eye(4, dtype=torch.bool))
    assert len(data.alone()[Item(0, 3)].drone) == 1


def test_places_are_numbered_by_their_names_across_sources(pictures: Path) -> None:
    data = f"overhead:{pictures}@0.6", f"overhead:{pictures}@0.3", f"site:{pictures}@0.6"
    sources = open_sources(data, Choice(), ViewSpec())
    both = PairDataset(sources, seed=0, side_px=16, strength=0.0)
    assert both.places[:24] == both.places[24:48], "one picture is one place, whatever its scale"
    assert len(set(both.places)) == 24 + 1, "and a site is one place more"
    assert (len(both), len(both.names)) == (72, 72)


def test_another_side_shows_the_same_scenes_and_leaves_the_first_as_it_was(pictures: Path) -> None:
    data = dataset(pictures)
    small = data.resized(16)
    assert small[Item(0, 2)].tile.shape == (1, 16, 16, 3)
    assert data[Item(0, 2)].tile.shape == (1, 32, 32, 3)
    assert (small.names, small.places) == (data.names, data.places)


def test_a_picture_that_is_gone_while_training_is_a_data_error(tmp_path: Path) -> None:
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), draw_place(k))
    data = PairDataset(open_sources([f"overhead:{tmp_path}@0.6"], Choice(), ViewSpec()), seed=0, side_px=16, strength=0)
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png is missing"):
        data.views(Item(0, 1))


def test_strength_0_shows_both_views_in_one_light(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice(), EXACT)
    calm, wild = (PairDataset(sources, seed=0, side_px=48, strength=strength) for strength in (0.0, 1.0))
    off = [
        np.mean([np.abs(v.drone.astype(int) - v.tile)[v.drone_seen].mean() for v in views])
        for views in ([data.views(Item(0, k)) for k in range(8)] for data in (calm, wild))
    ]
    assert off[0] < 2
    assert off[1] > 10


class Unreadable:
    """A source whose map fails under way."""

    places = ("somewhere",)
    files = ()

    def without(self, broken: Collection[Path]) -> Unreadable:
        return self

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        raise ImageryError("the disk is gone")


def test_every_error_of_a_source_is_a_data_error_to_the_trainer() -> None:
    with pytest.raises(DataError, match="the disk is gone"):
        PairDataset([Unreadable()], seed=0, side_px=16, strength=0.0).views(Item(0, 0))
