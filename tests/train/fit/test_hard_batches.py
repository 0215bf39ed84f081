"""Batches of look-alikes: tables as a plain loop finds them, batches as plain lists give them, and hard negatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.train.fit.look_alikes import embeddings, table_of
from train.fit.hard_batches import hard_batches, nearest_places
from train.fit.sampler import PlaceSampler


@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 99), st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_the_table_is_what_a_plain_loop_finds_whatever_the_chunks(
    count: int, nearest: int, seed: int, chunk_bytes: int
) -> None:
    drone, tile = embeddings(count, seed)
    places = np.random.default_rng(seed).permutation(count + 5)[:count]  # five have no embedding
    table = nearest_places(drone, tile, places, count=count + 5, nearest=nearest, chunk_bytes=chunk_bytes)
    for i, place in enumerate(places):
        alike = {int(places[j]): float(drone[i] @ tile[j] + tile[i] @ drone[j]) for j in range(count) if j != i}
        row = [int(other) for other in table[place] if other >= 0]
        assert len(row) == len(set(row)) == min(nearest, count - 1)
        assert [alike[other] for other in row] == pytest.approx(sorted(alike.values(), reverse=True)[:nearest])
    assert (np.delete(table, places, axis=0) == -1).all()


def _slow_hard_batches(
    times: NDArray[np.int64], neighbours: NDArray[np.int32], batch: int, rng: np.random.Generator
) -> list[list[int]]:
    """Choose hard batches with lists, slowly; draws from ``rng`` in the order of the fast one."""
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
    table = table_of(batch + 6, seed, 6)
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
