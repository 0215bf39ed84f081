"""A training run from its spec to its files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import torch

from runtime.errors import DataError, SettingsError, TrainError
from runtime.files import write_text_whole
from train.data.dataset import PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.split import TRAIN_SPLITS
from train.fit.bad_batch import save_bad_batch
from train.fit.batches import run_steps
from train.fit.distributed import Ranks
from train.fit.loop import BadBatchError, StepResult
from train.fit.plots import plot_run
from train.fit.run_log import RunLog
from train.fit.run_state import Run
from train.fit.sampler import PlaceSampler
from train.fit.validation import HeldOut
from train.model.checkpoint import BEST, STATE
from train.scoring.embed import VIEWS_SEED
from train.spec import TrainSpec, differences

SPEC, CURVES = "spec.json", "curves.png"


def fit(
    spec: TrainSpec,
    out: Path,
    *,
    resume: bool = False,
    tell: Callable[[dict[str, Any], float], None] = lambda line, progress: None,
    stop: Callable[[], bool] = lambda: False,
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
    draw: bool = True,
) -> dict[str, Any]:
    """Train, validate and save into ``out``; returns the summary. ``tell`` gets each log line and the progress.

    Of several ranks the first alone does all but train, and the others return nothing.
    ``stop`` is asked after every step; a stopped run is saved and can be resumed. ``draw`` ends it in pictures.
    Raises SkyfixError.
    """
    _prepare_machine(spec)
    _check_folder(spec, out, resume)
    if spec.view.beside and ranks.world > 1:
        raise SettingsError(
            "--beside is for one process: kinds of data that have no place beside would leave ranks uneven"
        )
    ranks.block(range(spec.batch))  # a batch that cannot be shared out fails before anything is read
    train, val = _datasets(spec)
    run = Run(spec, out, ranks)
    if resume:
        run.restore(train.places)
    if not ranks.is_first:
        for _ in _steps(run, train, stop):
            pass
        return {}
    write_text_whole(out / SPEC, json.dumps(spec.to_json(), indent=2) + "\n")
    held_out, stopped = HeldOut(val.alone()), False
    with closing(RunLog(run, tell, resumed=resume)) as log:
        if not resume:
            log.add(held_out.validate(run))
        for result, stopped in _steps(run, train, stop):
            log.add(result._asdict())
            done = run.progress >= 1.0
            if done or run.step % spec.eval_every == 0:
                log.add(held_out.validate(run))
            if done or stopped or run.step % spec.save_every == 0:
                run.save(_summary(run, log.lines), train.places)
    pictures = _draw(run, log, held_out) if draw else []
    return {**_summary(run, log.lines), "stopped": stopped, "pictures": [str(path) for path in pictures]}


def _steps(run: Run, data: PairDataset, stop: Callable[[], bool]) -> Iterator[tuple[StepResult, bool]]:
    """Steps, and whether that was the last one because a rank was asked to stop."""
    try:
        for result in run_steps(run, data):
            stopped = run.ranks.any(stop())
            yield result, stopped
            if stopped:
                return
    except BadBatchError as error:
        raise save_bad_batch(error, run, data) from error


def read_spec(out: Path) -> TrainSpec:
    """The spec that a run was started with; raises SettingsError."""
    path = out / SPEC
    try:
        return TrainSpec.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(f"{path} is missing; --resume wants the --out folder of an earlier run") from None
    except json.JSONDecodeError as error:
        raise SettingsError(f"{path} is not JSON ({error}); start the run anew") from None


def _check_folder(spec: TrainSpec, out: Path, resume: bool) -> None:
    """A run is continued as it was started, and no other one is written over; raises SkyfixError."""
    if not resume and ((out / STATE).exists() or (out / BEST).exists()):
        raise TrainError(f"{out} holds a run already: go on with --resume {out}, or give another --out, or delete it")
    if resume and (different := differences(read_spec(out), spec)):
        raise SettingsError(
            f"--resume {out}: {'; '.join(different)}; a resumed run keeps the settings that decide its result: drop "
            f"these, or start another run from its weights with --init {out / BEST}"
        )


def _prepare_machine(spec: TrainSpec) -> None:
    """What PyTorch and OpenCV know of the machine is of the whole process."""
    if spec.threads:
        torch.set_num_threads(spec.threads)
    cv2.setNumThreads(1)
    if spec.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
        torch.use_deterministic_algorithms(True, warn_only=True)


def _datasets(spec: TrainSpec) -> tuple[PairDataset, PairDataset]:
    """Places to train on and places held out; raises DataError."""
    train, val = (
        PairDataset(
            open_sources(spec.data, Choice(split, spec.only_may_ship), spec.view, max_broken=spec.max_broken),
            seed=seed,
            side_px=spec.encoder.side_px,
            strength=spec.augment,
        )
        for split, seed in zip(TRAIN_SPLITS, (spec.seed, VIEWS_SEED), strict=True)
    )
    # A batch that cannot be filled fails before the model loads.
    PlaceSampler(train.places, spec.batch, seed=spec.seed, weights=train.weights)
    if len(val) < 2:
        raise DataError(
            f"{', '.join(spec.data)} holds back {len(val)} places to choose the best encoder by; give a manifest.csv "
            "with two or more rows of split val, or 16 pictures or more"
        )
    return train, val


def _draw(run: Run, log: RunLog, held_out: HeldOut) -> list[Path]:
    plot_run(log.lines, run.out / CURVES)
    return [run.out / CURVES, *held_out.draw(run)]


def _summary(run: Run, lines: list[dict[str, Any]]) -> dict[str, Any]:
    scores = [line for line in lines if "r1" in line]
    return {
        "steps": run.step,
        "elapsed_s": round(run.elapsed_s, 1),
        "r1_before": scores[0]["r1"] if scores and scores[0]["step"] == 0 else None,
        "r1_best": run.best[0] if run.best[0] >= 0 else None,
        "r1_last": scores[-1]["r1"] if scores else None,
        "ap_last": scores[-1]["ap"] if scores else None,
    }
