"""The sampler: never a place twice in a batch, places by weight, and the same batches after a resume."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import DataError
from tests.train.fit.look_alikes import table_of
from train.data.dataset import Item
from train.fit.sampler import PlaceSampler


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
    table = table_of(len(set(places)), seed, batch) if by_likeness and len(set(places)) > 1 else None
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
        range(40), 8, seed=0, weights=weights.tolist(), neighbours=table_of(40, 0, 8) if by_likeness else None
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


def test_a_new_table_in_mid_run_leaves_the_places_of_an_epoch_as_they_were() -> None:
    """What is drawn depends on seed and epoch, who meets whom on the table: a resumed run needs table and step."""
    weights = [1.0] * 20 + [2.0] * 10
    samplers = [
        PlaceSampler(range(30), 6, seed=3, weights=weights, neighbours=table_of(30, seed, 6)) for seed in (0, 1)
    ]
    first, second = ([sorted(item.scene for items in s.epoch(4) for item in items)] for s in samplers)
    assert first == second
    assert samplers[0].epoch(4) != samplers[1].epoch(4)
    assert isinstance(samplers[0].epoch(4)[0][0], Item)
