"""Batches of a run: two sizes of pictures, tables of look-alikes when they are due, and workers' errors in one line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import DataError
from tests.train.fit.runs import open_split
from train.data.dataset import Item, PairDataset
from train.data.source import Views
from train.fit.batches import load_batches, look_alikes, make_sampler, run_steps
from train.fit.run_state import Run, RunSummary
from train.spec import TrainSpec


def test_a_run_that_is_stopped_between_two_tables_goes_on_as_if_it_never_stopped(
    tiny: TrainSpec, tmp_path: Path
) -> None:
    spec = replace(tiny, hard_every=1, steps=8)  # two batches an epoch: tables at steps 2, 4 and 6
    data = open_split(spec, "train")
    whole, stopped, resumed = (Run(spec, tmp_path) for _ in range(3))
    losses = [result.loss for result in run_steps(whole, data)]
    before = [result.loss for result in islice(run_steps(stopped, data), 5)]
    stopped.save(RunSummary(5, 0.0, None, None, None, None), data.places)
    resumed.restore(data.places)
    assert before + [result.loss for result in run_steps(resumed, data)] == losses
    assert resumed.neighbours is not None
    assert resumed.neighbours.shape == (21, 8)


def test_small_pictures_come_first_and_the_schedule_goes_through(tiny_warm: TrainSpec, tmp_path: Path) -> None:
    sides: list[tuple[int, int]] = []

    class Watched(Run):
        def advance(self) -> None:
            super().advance()
            sides.append((self.step, seen[-1]))

    seen: list[int] = []
    run = Watched(replace(tiny_warm, steps=5), tmp_path)
    run.encoder.register_forward_pre_hook(lambda _module, given: seen.append(given[0].shape[1]))
    rates = []
    for _ in run_steps(run, open_split(run.spec, "train")):
        rates.append(run.optimizer.param_groups[0]["lr"])
    assert sides == [(1, 32), (2, 32), (3, 32), (4, 48), (5, 48)]  # the first step at or after half of the run changes
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 0.0


class BrokenPlaces:
    """A source of eight places whose pictures cannot be read."""

    places = tuple(f"place {k}" for k in range(8))
    files: tuple[Path, ...] = ()

    def without(self, _broken: Collection[Path]) -> BrokenPlaces:
        return self

    def render(self, index: int, _rng: np.random.Generator, _side_px: int) -> Views:
        raise DataError(f"picture {index} is torn")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_worker_process_is_its_own_line_alone(workers: int, tiny: TrainSpec) -> None:
    data = PairDataset([BrokenPlaces()], seed=0, side_px=32, strength=0.0)
    spec = replace(tiny, workers=workers)
    with pytest.raises(DataError) as caught:
        next(load_batches(spec, data, sampler=[Item(0, scene) for scene in range(3)], batch_size=2))
    assert str(caught.value) == "picture 0 is torn"


def test_a_table_of_look_alikes_is_of_places_and_leaves_the_generator_alone(tiny: TrainSpec, tmp_path: Path) -> None:
    run, data = Run(tiny, tmp_path), open_split(tiny, "train")
    before = torch.get_rng_state()
    table = look_alikes(run, data)
    assert torch.equal(torch.get_rng_state(), before)
    count = len(set(data.places))
    assert table.shape == (count, tiny.batch)
    for place, others in enumerate(table.tolist()):
        assert place not in others
        assert len(set(others)) == len(others)
        assert set(others) <= set(range(count))
    assert np.array_equal(look_alikes(run, data), table)


def test_the_sampler_goes_on_at_the_runs_step(tiny: TrainSpec, tmp_path: Path) -> None:
    run, data = Run(tiny, tmp_path), open_split(tiny, "train")
    batches = list(islice(make_sampler(run, data), 4))
    run.step = 3
    assert next(iter(make_sampler(run, data))) == batches[3]
