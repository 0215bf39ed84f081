"""Batches: never a place twice, sources by weight, look-alikes together, and the same batches after a resume."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from runtime.errors import DataError
from train.data.dataset import Item, PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.fit import hard_batches as hard
from train.fit.batches import run_steps
from train.fit.hard_batches import hard_batches, nearest_places
from train.fit.run_state import Run
from train.fit.sampler import PlaceSampler
from train.spec import TrainSpec


def _embeddings(count: int, seed: int, dim: int = 8) -> tuple[Tensor, Tensor]:
    """Drone and tile: a tile is its drone's neighbour, other places are anywhere."""
    generator = torch.Generator().manual_seed(seed)
    drone = torch.randn(count, dim, generator=generator)
    return F.normalize(drone), F.normalize(drone + 0.3 * torch.randn(count, dim, generator=generator))


def _table(count: int, seed: int, nearest: int) -> NDArray[np.int32]:
    return nearest_places(*_embeddings(count, seed), np.arange(count), count=count, nearest=nearest)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0.2, 0.5, 1.0, 1.7, 3.0])), min_size=2, max_size=60),
    st.integers(1, 13),
    st.integers(0, 99),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_batch_holds_each_place_at_most_once_whatever_weights_and_neighbours(
    scenes: list[tuple[int, float]], batch: int, seed: int, weighted: bool, by_likeness: bool
) -> None:
    places, weights = [place for place, _ in scenes], [weight for _, weight in scenes] if weighted else None
    table = _table(len(set(places)), seed, batch) if by_likeness and len(set(places)) > 1 else None
    if batch > len(set(places)):
        with pytest.raises(DataError, match=f"a batch of {batch} needs {batch} different places; the data has"):
            PlaceSampler(places, batch, seed=seed, weights=weights, neighbours=table)
        return
    try:
        sampler = PlaceSampler(places, batch, seed=seed, weights=weights, neighbours=table)
    except DataError:
        heaviest = {place: max(w for p, w in scenes if p == place) for place in places}
        assert weights is not None
        assert sum(min(weight, 1.0) for weight in heaviest.values()) < batch
        return
    batches = list(islice(sampler, 3 * sampler.batches_per_epoch))
    assert all(len({places[item.scene] for item in items}) == len(items) == batch for items in batches)
    assert len({item for items in batches for item in items}) == len(batches) * batch  # no pixels come twice
    late = PlaceSampler(places, batch, seed=seed, start=2, weights=weights, neighbours=table)
    assert list(islice(late, 3)) == list(islice(sampler, 2, 5))
    if not weighted:
        for epoch in range(3):
            drawn = Counter(places[item.scene] for items in sampler.epoch(epoch) for item in items)
            assert max(drawn.values()) == 1
            assert len(drawn) > len(set(places)) - batch


@pytest.mark.parametrize("by_likeness", [False, True])
def test_a_place_is_drawn_as_often_as_its_weight_says(by_likeness: bool) -> None:
    weights = np.repeat([0.5, 1.0, 2.0, 3.3], 10)  # 68 draws an epoch, of which 64 fill batches
    sampler = PlaceSampler(
        range(40), 8, seed=0, weights=weights.tolist(), neighbours=_table(40, 0, 8) if by_likeness else None
    )
    epochs = [Counter(item.scene for items in sampler.epoch(epoch) for item in items) for epoch in range(200)]
    for scene, weight in enumerate(weights * 64 / 68):
        times = [epoch[scene] for epoch in epochs]
        assert set(times) <= {int(weight), int(weight) + 1}
        assert np.mean(times) == pytest.approx(weight, abs=0.15)


def test_a_weight_beyond_what_an_epoch_can_hold_is_cut_to_once_a_batch() -> None:
    sampler = PlaceSampler(range(9), 8, seed=0, weights=[1000.0] + 8 * [7.0])
    batches = sampler.epoch(0)
    assert all(0 in {item.scene for item in items} for items in batches)
    assert len(batches) == 8 * 7 // 7


def test_all_scenes_of_a_place_get_their_turn_and_repeats_show_other_ones() -> None:
    sampler = PlaceSampler([0, 0, 0, 1], 2, seed=0, weights=[2.0, 2.0, 2.0, 2.0])
    for epoch in range(20):
        scenes = [item.scene for items in sampler.epoch(epoch) for item in items if item.scene != 3]
        assert len(scenes) == len(set(scenes)) == 2
    assert {item.scene for items in islice(sampler, 40) for item in items} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("places", "batch", "weights", "message"),
    [
        ([0, 1, 1], 3, None, r"needs 3 different places; the data has 2 \(3 scenes\).*--batch of at most 2"),
        ([0, 1, 2, 3], 4, [0.5, 0.5, 1, 1], r"an epoch draws 3 by weight.*--batch of at most 3"),
        ([0, 1, 2], 2, [1.0, 0.0, 1.0], "a weight of 0.0 draws nothing"),
        ([0, 1, 2], 2, [1.0, float("nan"), 1.0], "a weight of nan draws nothing"),
    ],
)
def test_a_batch_that_cannot_be_filled_is_told_with_both_numbers_and_the_mend(
    places: list[int], batch: int, weights: list[float] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        PlaceSampler(places, batch, seed=0, weights=weights)


@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 99), st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_the_table_is_what_a_plain_loop_finds_whatever_the_chunks(
    count: int, nearest: int, seed: int, chunk_bytes: int
) -> None:
    drone, tile = _embeddings(count, seed)
    places = np.random.default_rng(seed).permutation(count + 5)[:count]  # five have no embedding
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hard, "_CHUNK_BYTES", chunk_bytes)
        table = nearest_places(drone, tile, places, count=count + 5, nearest=nearest)
    for i, place in enumerate(places):
        alike = {int(places[j]): float(drone[i] @ tile[j] + tile[i] @ drone[j]) for j in range(count) if j != i}
        found = [int(other) for other in table[place] if other >= 0]
        assert len(found) == len(set(found)) == min(nearest, count - 1)
        assert [alike[other] for other in found] == pytest.approx(sorted(alike.values(), reverse=True)[:nearest])
    assert (np.delete(table, places, axis=0) == -1).all()


def _slow_hard_batches(
    times: NDArray[np.int64], neighbours: NDArray[np.int32], batch: int, rng: np.random.Generator
) -> list[list[int]]:
    """The same again with lists; draws from ``rng`` in the same order."""
    left = dict(enumerate(times.tolist()))
    queue = rng.permutation([place for place, count in left.items() for _ in range(count)]).tolist()
    rows = []
    for remaining in range(sum(left.values()) // batch, 0, -1):
        row = [place for place, count in left.items() if count == remaining]
        waiting = [place for place in queue if left[place] > 0 and place not in row]
        for anchor in waiting:
            if anchor not in row and len(row) < batch:
                near = [place for place in neighbours[anchor].tolist() if place >= 0]
                half = (len(near) + 3) // 4
                for place in [anchor, *near[:half], *rng.permutation(near[half:]).astype(int).tolist()[:half]]:
                    if left[place] > 0 and place not in row and len(row) < batch:
                        row.append(place)
        for place in row:
            left[place] -= 1
        rows.append(row)
    return rows


@given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_hard_batches_are_what_plain_lists_give(batch: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.bincount(np.concatenate([rng.permutation(batch + 6)[:batch] for _ in range(count)]), minlength=batch + 6)
    table = _table(batch + 6, seed, 6)
    fast = hard_batches(times, table, batch, np.random.default_rng(seed))
    assert fast.tolist() == _slow_hard_batches(times, table, batch, np.random.default_rng(seed))


def test_hard_batches_bring_look_alikes_together_and_harder_negatives_than_chance() -> None:
    """Forty towns of four places each: the three others of a town are the hardest negatives there are."""
    generator = torch.Generator().manual_seed(0)
    towns = torch.randn(40, 16, generator=generator).repeat_interleave(4, dim=0)
    drone, tile = (F.normalize(towns + 0.4 * torch.randn(towns.shape, generator=generator)) for _ in range(2))
    table = nearest_places(drone, tile, np.arange(160), count=160, nearest=16)
    assert (table[:, :3] // 4 == np.arange(160)[:, None] // 4).all()
    alike = (drone @ tile.T).numpy()

    def hardness(neighbours: NDArray[np.int32] | None) -> tuple[float, float]:
        sampler = PlaceSampler(range(160), 16, seed=0, neighbours=neighbours)
        hardest, met = [], []
        for items in (items for epoch in range(5) for items in sampler.epoch(epoch)):
            row = np.array([item.scene for item in items])
            negatives = alike[np.ix_(row, row)] - 2 * np.eye(16)
            hardest.append(negatives.max(axis=1))
            met.append([np.isin(table[place, :3], row).mean() for place in row])
        return float(np.mean(hardest)), float(np.mean(met))

    (random, by_chance), (hard_ones, together) = hardness(None), hardness(table)
    assert hard_ones > random + 0.2
    assert together > 4 * by_chance  # not 1: the random half of an anchor's neighbours leaves its own town


def test_a_new_table_in_mid_run_leaves_the_places_of_an_epoch_as_they_were() -> None:
    """What is drawn depends on seed and epoch, who meets whom on the table: a resumed run needs table and step."""
    weights = [1.0] * 20 + [2.0] * 10
    samplers = [PlaceSampler(range(30), 6, seed=3, weights=weights, neighbours=_table(30, seed, 6)) for seed in (0, 1)]
    first, second = ([sorted(item.scene for items in s.epoch(4) for item in items)] for s in samplers)
    assert first == second
    assert samplers[0].epoch(4) != samplers[1].epoch(4)
    assert isinstance(samplers[0].epoch(4)[0][0], Item)


def test_a_run_that_is_stopped_between_two_tables_goes_on_as_if_it_never_stopped(
    tiny: TrainSpec, tmp_path: Path
) -> None:
    spec = replace(tiny, hard_every=1, steps=8)  # two batches an epoch: tables at steps 2, 4 and 6
    sources = open_sources(spec.data, Choice("train"), spec.view)
    data = PairDataset(sources, seed=spec.seed, side_px=spec.encoder.side_px, strength=spec.augment)
    whole, stopped, resumed = (Run(spec, tmp_path) for _ in range(3))
    losses = [result.loss for result in run_steps(whole, data)]
    before = [result.loss for result in islice(run_steps(stopped, data), 5)]
    stopped.save({}, data.places)
    resumed.restore(data.places)
    assert before + [result.loss for result in run_steps(resumed, data)] == losses
    assert resumed.neighbours is not None
    assert resumed.neighbours.shape == (21, 8)
