"""A training run from its spec to its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from runtime.errors import DataError
from runtime.files import write_text_whole
from train.checkpoint import BEST, save_encoder
from train.data.batch import Batch
from train.data.dataset import PairDataset, prepare_worker
from train.data.manifest import Choice
from train.data.open import open_sources
from train.loop import StepResult, train_steps
from train.plots import plot_run, read_log
from train.sampler import PlaceSampler
from train.scoring import VIEWS_SEED, embed_with, score_views
from train.spec import TrainSpec
from train.state import Run

SPEC, LOG, CURVES = "spec.json", "log.jsonl", "curves.png"


def fit(
    spec: TrainSpec,
    out: Path,
    *,
    resume: bool = False,
    tell: Callable[[dict[str, Any], float], None] = lambda line, progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train, validate and save into ``out``; returns the summary. ``tell`` gets each log line and the progress.

    ``stop`` is asked after every step; a stopped run is saved and can be resumed. Raises SkyfixError.
    """
    if spec.threads:
        torch.set_num_threads(spec.threads)
    cv2.setNumThreads(1)
    train, val = _datasets(spec)
    run = Run(spec, out)
    if resume:
        run.restore()
    write_text_whole(out / SPEC, json.dumps(spec.to_json(), indent=2) + "\n")
    log = _Log(out / LOG, run, tell, keep_steps=run.step if resume else -1)
    if not resume:
        log.add({"step": 0, **_validate(run, val)})
    for result in _steps(run, train):
        log.add({"step": run.step, **result._asdict()})
        stopped, done = stop(), run.progress >= 1.0
        if done or run.step % spec.eval_every == 0:
            log.add({"step": run.step, **_validate(run, val)})
        if done or stopped or run.step % spec.save_every == 0:
            run.save(_summary(run, log.lines))
        if done or stopped:
            break
    plot_run(log.lines, out / CURVES)
    return _summary(run, log.lines)


def _datasets(spec: TrainSpec) -> tuple[PairDataset, PairDataset]:
    """Places to train on and places held out; raises DataError."""
    train, val = (
        PairDataset(
            open_sources(spec.data, Choice(split, spec.only_may_ship), spec.view),
            seed=seed,
            side_px=spec.encoder.side_px,
            strength=spec.augment,
        )
        for split, seed in (("train", spec.seed), ("val", VIEWS_SEED))
    )
    PlaceSampler(train.places, spec.batch, seed=spec.seed)  # a batch that cannot be filled fails before the model loads
    if len(val) < 2:
        raise DataError(
            f"{', '.join(spec.data)} holds back {len(val)} places to choose the best encoder by; give a manifest.csv "
            "with two or more rows of split val, or 16 pictures or more"
        )
    return train, val


def _steps(run: Run, data: PairDataset) -> Iterator[StepResult]:
    """Steps of the whole run, first on small pictures where the spec says so; counts and schedules them."""
    spec = run.spec
    phases = [(spec.warm_side_px, spec.warm_part)] if spec.warm_side_px else []
    for side_px, until in [*phases, (spec.encoder.side_px, 1.0)]:
        if run.progress >= until:
            continue
        sampler = PlaceSampler(data.places, spec.batch, seed=spec.seed, start=run.step)
        batches: DataLoader[Batch] = DataLoader(
            data.resized(side_px),
            batch_sampler=sampler,
            num_workers=spec.workers,
            worker_init_fn=prepare_worker,
            pin_memory=run.device.type == "cuda",
        )
        run.set_lr()
        results = train_steps(
            run.encoder, run.objective, _fetched(batches), run.optimizer, device=run.device, clip_norm=spec.clip_norm
        )
        for result in results:
            run.step += 1
            run.set_lr()
            yield result
            if run.progress >= until:
                break


def _fetched(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches; a worker's error comes with its traceback as text, of which the last line is ours."""
    try:
        yield from batches
    except DataError as error:
        last = str(error).strip().splitlines()[-1]
        raise DataError(last.removeprefix(f"{DataError.__module__}.{DataError.__qualname__}: ")) from None


def _validate(run: Run, data: PairDataset) -> dict[str, float]:
    """Scores of held-out places; the best encoder so far is saved."""
    scores, _ = score_views(embed_with(run.encoder), data)
    if run.step and scores.r1 > run.best_r1:
        run.best_r1 = scores.r1
        summary = {"step": run.step, "elapsed_s": run.elapsed_s, **asdict(scores)}
        save_encoder(run.out / BEST, run.encoder, run.spec.to_json(), summary)
    return {k: v for k, v in asdict(scores).items() if k.startswith(("r", "ap"))}


class _Log:
    """``log.jsonl``: one line a step, one a validation."""

    def __init__(self, path: Path, run: Run, tell: Callable[[dict[str, Any], float], None], *, keep_steps: int) -> None:
        self._path, self._run, self._tell = path, run, tell
        self.lines = [line for line in read_log(path) if line["step"] <= keep_steps]
        write_text_whole(path, "".join(json.dumps(line) + "\n" for line in self.lines))

    def add(self, values: dict[str, Any]) -> None:
        line = {**values, "elapsed_s": round(self._run.elapsed_s, 1)}
        self.lines.append(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._tell(line, self._run.progress)


def _summary(run: Run, lines: list[dict[str, Any]]) -> dict[str, Any]:
    scores = [line for line in lines if "r1" in line]
    return {
        "steps": run.step,
        "elapsed_s": round(run.elapsed_s, 1),
        "r1_before": scores[0]["r1"] if scores and scores[0]["step"] == 0 else None,
        "r1_best": run.best_r1 if run.best_r1 >= 0 else None,
        "r1_last": scores[-1]["r1"] if scores else None,
        "ap_last": scores[-1]["ap"] if scores else None,
    }
