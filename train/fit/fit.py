"""A training run from its spec to its files: train, validate, save, draw."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from runtime.errors import DataError, SettingsError, TrainError
from runtime.files import write_text_whole
from train.data.dataset import PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.split import TrainSplit
from train.fit.bad_batch import save_bad_batch
from train.fit.batches import run_steps
from train.fit.distributed import Ranks
from train.fit.log_line import LogLine
from train.fit.loop import BadBatchError, StepResult
from train.fit.plots import plot_hardness, plot_run
from train.fit.run_log import RunLog
from train.fit.run_state import Run, RunSummary
from train.fit.sampler import PlaceSampler
from train.fit.validation import HeldOut, HeldOutRows
from train.model.checkpoint import BEST, STATE
from train.scoring.embed import VIEWS_SEED
from train.spec import TrainSpec, differences

logger = logging.getLogger(__name__)

SPEC, CURVES, HARDNESS, CONFUSIONS = "spec.json", "curves.png", "hardness.png", "confusions.png"


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The outcome of a run, for who started it."""

    summary: RunSummary
    stopped: bool  # before its end, and can be resumed
    pictures: tuple[Path, ...]  # that were drawn


def fit(
    spec: TrainSpec,
    out: Path,
    *,
    resume: bool = False,
    on_line: Callable[[LogLine, float], None] = lambda line, progress: None,
    stop: Callable[[], bool] = lambda: False,
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
    draw: bool = True,
) -> RunOutcome | None:
    """Train, validate and save into ``out``; ``on_line`` gets each log line and the progress.

    Of several ranks the first alone does all but train, and the others return None.
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
        return None
    _log_start(run, train, val)
    write_text_whole(out / SPEC, json.dumps(spec.to_json(), indent=2) + "\n")
    held_out = HeldOut(val.alone())
    with closing(RunLog(run, on_line, resumed=resume)) as log:
        rows = None if resume else _validate(run, held_out, log)
        rows, stopped = _train(run, train, held_out=held_out, log=log, stop=stop, rows=rows)
    pictures = _draw(run, log.lines, held_out, rows) if draw else ()
    return RunOutcome(_summary(run, log.lines), stopped, pictures)


def _log_start(run: Run, train: PairDataset, val: PairDataset) -> None:
    """Log what the run found and chose, for who wants to hear more."""
    spec, encoder = run.spec, run.encoder
    logger.debug("%d places in %d scenes to train on, %d held out", len(set(train.places)), len(train), len(val))
    logger.debug("%s, %d parameters", spec.encoder, sum(p.numel() for p in encoder.parameters()))
    logger.debug(
        "on %s, half precision: %s, norms %s", run.device, encoder.amp_dtype, "fixed" if encoder.fixed_norms else "free"
    )
    if run.step:
        logger.debug("goes on at step %d after %.0f s", run.step, run.elapsed_s)


def _train(
    run: Run,
    data: PairDataset,
    *,
    held_out: HeldOut,
    log: RunLog,
    stop: Callable[[], bool],
    rows: HeldOutRows | None,
) -> tuple[HeldOutRows | None, bool]:
    """Take steps to the end, validate and save; return the last held-out rows, and whether it was stopped."""
    spec, stopped = run.spec, False
    for result, stopped in _steps(run, data, stop):
        log.add(result._asdict())
        done = run.progress >= 1.0
        if done or run.step % spec.eval_every == 0:
            rows = _validate(run, held_out, log)
        if done or stopped or run.step % spec.save_every == 0:
            run.save(_summary(run, log.lines), data.places)
    return rows, stopped


def _validate(run: Run, held_out: HeldOut, log: RunLog) -> HeldOutRows:
    """Score the encoder on held-out places, keep it where it is the best so far, and log its scores."""
    rows = held_out.embed(run.scored)
    scores = held_out.score(rows)
    run.keep_best(scores)
    if run.wants_hardness:
        run.keep_hardness(held_out.hardness(run.objective, rows))
    log.add(scores.shares())
    return rows


def _steps(run: Run, data: PairDataset, stop: Callable[[], bool]) -> Iterator[tuple[StepResult, bool]]:
    """Yield steps, and whether that was the last one because a rank was asked to stop; raises TrainError."""
    try:
        for result in run_steps(run, data):
            stopped = run.ranks.any(stop())
            yield result, stopped
            if stopped:
                return
    except BadBatchError as error:
        raise save_bad_batch(error, run, data) from error


def read_spec(out: Path) -> TrainSpec:
    """Read the spec that a run was started with; raises SettingsError."""
    path = out / SPEC
    try:
        return TrainSpec.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(f"{path} is missing; --resume wants the --out folder of an earlier run") from None
    except json.JSONDecodeError as error:
        raise SettingsError(f"{path} is not JSON ({error}); start the run anew") from None


def _check_folder(spec: TrainSpec, out: Path, resume: bool) -> None:
    """Raise SkyfixError where a run would go on otherwise than it was started, or another one be written over."""
    if not resume and ((out / STATE).exists() or (out / BEST).exists()):
        raise TrainError(f"{out} holds a run already: go on with --resume {out}, or give another --out, or delete it")
    if resume and (different := differences(read_spec(out), spec)):
        raise SettingsError(
            f"--resume {out}: {'; '.join(different)}; a resumed run keeps the settings that decide its result: drop "
            f"these, or start another run from its weights with --init {out / BEST}"
        )


def _prepare_machine(spec: TrainSpec) -> None:
    """Set what PyTorch and OpenCV know of the machine, for the whole process."""
    if spec.threads:
        torch.set_num_threads(spec.threads)
    cv2.setNumThreads(1)
    if spec.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
        torch.use_deterministic_algorithms(True, warn_only=True)


def _datasets(spec: TrainSpec) -> tuple[PairDataset, PairDataset]:
    """Open the places to train on and the places held out; raises DataError."""
    train, val = _dataset(spec, "train", spec.seed), _dataset(spec, "val", VIEWS_SEED)
    # A batch that cannot be filled fails before the model loads.
    PlaceSampler(train.places, spec.batch, seed=spec.seed, weights=train.weights)
    if len(val) < 2:
        raise DataError(
            f"{', '.join(spec.data)} holds back {len(val)} places to choose the best encoder by; give a manifest.csv "
            "with two or more rows of split val, or 16 pictures or more"
        )
    return train, val


def _dataset(spec: TrainSpec, split: TrainSplit, seed: int) -> PairDataset:
    """Open the places of one split, in the views of a seed; raises DataError."""
    choice = Choice(split, spec.only_may_ship)
    sources = open_sources(spec.data, choice, spec.view, max_broken=spec.max_broken)
    return PairDataset(sources, seed=seed, side_px=spec.encoder.side_px, strength=spec.augment)


def _draw(run: Run, lines: Sequence[LogLine], held_out: HeldOut, rows: HeldOutRows | None) -> tuple[Path, ...]:
    """Draw curves, hardness and confusions, those that there is something to draw of; ``rows`` are the last ones."""
    pictures = [run.out / CURVES]
    plot_run(lines, run.out / CURVES)
    if run.hardness:
        dphr = run.spec.dphr
        weights = (dphr.w_min, dphr.w_max) if dphr and dphr.rda else (1.0, 1.0)
        hardness = {time: values.numpy() for time, values in run.hardness.items()}
        plot_hardness(hardness, run.out / HARDNESS, w_min=weights[0], w_max=weights[1])
        pictures.append(run.out / HARDNESS)
    if rows is None and run.progress >= 1.0:  # resumed when it had only its pictures to draw
        rows = held_out.embed(run.scored)
    if rows is not None:
        held_out.draw_confusions(rows, run.out / CONFUSIONS)
        pictures.append(run.out / CONFUSIONS)
    return tuple(pictures)


def _summary(run: Run, lines: Sequence[LogLine]) -> RunSummary:
    """Sum up the run so far."""
    scores = [line for line in lines if line.is_validation]
    first, last = (scores[0], scores[-1].values) if scores else (None, {})
    return RunSummary(
        steps=run.step,
        elapsed_s=round(run.elapsed_s, 1),
        r1_before=first.values["r1"] if first and first.step == 0 else None,
        r1_best=run.best[0] if run.best[0] >= 0 else None,
        r1_last=last.get("r1"),
        ap_last=last.get("ap"),
    )
