"""Batches for a run: which scenes, at which side, from as many processes as asked for; and the steps on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from runtime.errors import DataError
from train.data.batch import Batch
from train.data.dataset import Item, PairDataset, prepare_worker
from train.hard import nearest_places
from train.loop import StepResult, train_steps
from train.sampler import PlaceSampler
from train.scoring import embed_with
from train.state import Run

_TABLE_BATCH = 32


def run_steps(run: Run, data: PairDataset) -> Iterator[StepResult]:
    """Steps to the end of the run; counts and schedules them.

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
        batches = _loader(run, data.resized(side_px), batch_sampler=make_sampler(run, data))
        run.set_lr()
        for result in _train_steps(run, batches):
            run.advance()
            yield result
            if run.progress >= until or (table_every and run.step % table_every == 0):
                break


def make_sampler(run: Run, data: PairDataset) -> PlaceSampler:
    """From the run's step on; raises DataError when a batch cannot be filled."""
    spec = run.spec
    return PlaceSampler(
        data.places, spec.batch, seed=spec.seed, start=run.step, weights=data.weights, neighbours=run.neighbours
    )


def look_alikes(run: Run, data: PairDataset) -> NDArray[np.int32]:  # (P, batch)
    """For each place those that the encoder now takes for it most easily, by one scene of each."""
    places, scenes = np.unique(data.places, return_index=True)
    items = [Item(run.step, int(scene)) for scene in scenes]
    embed = embed_with(run.scored)
    drones, tiles = [], []
    for batch in _loader(run, data.resized(run.spec.encoder.side_px), sampler=items, batch_size=_TABLE_BATCH):
        drones.append(embed(batch.drone.numpy()))
        tiles.append(embed(batch.tile.numpy()))
    drone, tile = (torch.from_numpy(np.concatenate(rows)) for rows in (drones, tiles))
    return nearest_places(drone, tile, places, count=len(places), nearest=run.spec.batch)


def _train_steps(run: Run, batches: Iterable[Batch]) -> Iterator[StepResult]:
    return train_steps(
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
    )


def _loader(run: Run, data: PairDataset, **which: Any) -> Iterator[Batch]:
    """What a DataLoader makes; a worker's error comes with its traceback as text, of which the last line is ours."""
    batches: DataLoader[Batch] = DataLoader(
        data,
        num_workers=run.spec.workers,
        worker_init_fn=prepare_worker,
        pin_memory=run.device.type == "cuda",
        generator=torch.Generator(),  # or each loader would draw from the generator whose state a resumed run restores
        **which,
    )
    try:
        yield from batches
    except DataError as error:
        last = str(error).strip().splitlines()[-1]
        raise DataError(last.removeprefix(f"{DataError.__module__}.{DataError.__qualname__}: ")) from None
