"""Batches for a run, from as many processes as asked for, and the steps on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from runtime.errors import DataError
from train.data.batch import Batch
from train.data.dataset import Item, PairDataset, collate, prepare_worker
from train.fit.hard_batches import nearest_places
from train.fit.loop import StepResult, train_steps
from train.fit.run_state import Run
from train.fit.sampler import PlaceSampler
from train.scoring.embed import embed_with
from train.spec import TrainSpec

_TABLE_BATCH, _TABLE_PLACES = 32, 20_000


def run_steps(run: Run, data: PairDataset) -> Iterator[StepResult]:
    """Yield steps to the end of the run; counts and schedules them.

    Batches start anew where the side of pictures changes and where a table of look-alikes is due. Both follow from the
    step alone (or from the clock, where a run ends by it): a resumed run sees the same.
    """
    spec = run.spec
    table_every = spec.hard_every * make_sampler(run, data).batches_per_epoch
    while run.progress < 1.0:
        if table_every and run.step and run.step % table_every == 0:
            run.neighbours = look_alikes(run, data)
        warm = bool(spec.warm_side_px) and run.progress < spec.warm_part
        side_px, until = (spec.warm_side_px, spec.warm_part) if warm else (spec.encoder.side_px, 1.0)
        mine = (run.ranks.block(items) for items in make_sampler(run, data))
        for result in steps_on(run, load_batches(run.spec, data.resized(side_px), batch_sampler=mine)):
            yield result
            if run.progress >= until or (table_every and run.step % table_every == 0):
                break


def make_sampler(run: Run, data: PairDataset) -> PlaceSampler:
    """Make a sampler from the run's step on; raises DataError when a batch cannot be filled."""
    spec = run.spec
    return PlaceSampler(
        data.places, spec.batch, seed=spec.seed, start=run.step, weights=data.weights, neighbours=run.neighbours
    )


def look_alikes(run: Run, data: PairDataset) -> NDArray[np.int32]:  # (P, batch)
    """Find for each place those that the encoder now takes for it most easily, by a random scene of each.

    Of more places than 20 000 a random part is embedded anew each time; the others meet in random order.
    """
    ranks, rng = run.ranks, np.random.default_rng((run.spec.seed, run.step))
    order = rng.permutation(len(data.places))
    names, first = np.unique(np.asarray(data.places)[order], return_index=True)
    places = rng.permutation(len(names))[:_TABLE_PLACES]
    items = [Item(run.step, int(scene)) for scene in order[first[places]]]
    filled = (items * ranks.world)[: -(-len(items) // ranks.world) * ranks.world]  # ranks embed as many each
    embed = embed_with(run.scored)
    drones, tiles = [], []
    for batch in load_batches(
        run.spec, data.alone().resized(run.spec.encoder.side_px), sampler=ranks.block(filled), batch_size=_TABLE_BATCH
    ):
        drones.append(embed(batch.drone.numpy()))
        tiles.append(embed(batch.tile.numpy()))
    drone, tile = (
        ranks.gathered(torch.from_numpy(np.concatenate(rows)))[: len(items)].to(run.device) for rows in (drones, tiles)
    )
    table = nearest_places(drone, tile, places, count=len(names), nearest=run.spec.batch)
    ranks.copy_first([torch.from_numpy(table)])  # shares memory: one table, whatever each rank's GPU rounds to
    return table


def steps_on(run: Run, batches: Iterable[Batch]) -> Iterator[StepResult]:
    """Yield steps on these batches; counts and schedules them."""
    run.set_lr()
    for result in train_steps(
        run.encoder,
        run.objective,
        batches,
        run.optimizer,
        device=run.device,
        clip_norm=run.spec.clip_norm,
        scaler=run.scaler,
        chunk=run.spec.chunk,
        teacher=run.teacher,
        ranks=run.ranks,
    ):
        run.advance()
        yield result


def load_batches(spec: TrainSpec, data: PairDataset, **sampling: Any) -> Iterator[Batch]:
    """Yield the batches of a DataLoader, whose arguments say what is sampled; raises DataError.

    A worker's error comes with its traceback as text, of which the last line is ours.
    """
    batches: DataLoader[Batch] = DataLoader(
        data,
        num_workers=spec.workers,
        collate_fn=collate,
        worker_init_fn=prepare_worker,
        pin_memory=torch.cuda.is_available() and spec.device != "cpu",
        generator=torch.Generator(),  # or each loader would draw from the generator whose state a resumed run restores
        **sampling,
    )
    try:
        yield from batches
    except DataError as error:
        last = str(error).strip().splitlines()[-1]
        raise DataError(last.removeprefix(f"{DataError.__module__}.{DataError.__qualname__}: ")) from None
