"""A training run from its spec to its files."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from runtime.errors import DataError, TrainError
from runtime.files import write_text_whole
from train.checkpoint import BEST, LAST, STATE, load_state, save_encoder, save_state
from train.data.dataset import PairDataset, prepare_worker
from train.data.manifest import Choice
from train.data.open import open_sources
from train.encoder import Encoder
from train.loop import Batch, StepResult, train_steps
from train.losses.objective import Objective
from train.plots import plot_run, read_log
from train.sampler import PlaceSampler
from train.scoring import VIEWS_SEED, embed_with, score_views
from train.spec import TrainSpec

SPEC, LOG, CURVES = "spec.json", "log.jsonl", "curves.png"


def lr_factor(progress: float, warmup: float) -> float:
    """A linear rise over the first ``warmup`` of a run, then half a cosine down to 0."""
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (progress - warmup) / (1.0 - warmup))))


class Run:
    """A run in progress: what a step changes and what a checkpoint keeps."""

    def __init__(self, spec: TrainSpec, out: Path) -> None:
        self.spec, self.out = spec, out
        self.device = torch.device(_device(spec.device))
        torch.manual_seed(spec.seed)
        self.encoder = Encoder(spec.encoder).to(self.device)
        if self.device.type == "cuda":
            self.encoder.amp_dtype = torch.bfloat16
        self.objective = Objective(spec.host, spec.dphr, spec.label_smoothing).to(self.device)
        slow = {"params": list(self.encoder.backbone.parameters()), "factor": 1.0}
        fast = {
            "params": [*self.encoder.head.parameters(), *self.objective.parameters()],
            "factor": spec.head_lr_factor,
        }
        self.optimizer = torch.optim.AdamW([slow, fast], lr=spec.lr, weight_decay=spec.weight_decay)
        self.step = 0
        self.best_r1 = -1.0
        self._spent_s, self._started = 0.0, time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Wall time of this run, of earlier parts too."""
        return self._spent_s + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """0 at the start, 1 when steps or minutes are used up."""
        by_time = self.elapsed_s / (60 * self.spec.minutes) if self.spec.minutes else 0.0
        return min(1.0, max(self.step / self.spec.steps, by_time))

    def set_lr(self) -> None:
        factor = lr_factor(self.progress, self.spec.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = self.spec.lr * factor * group["factor"]

    def save(self, summary: dict[str, Any]) -> None:
        """Write ``last.safetensors`` and ``state.pt``."""
        save_encoder(self.out / LAST, self.encoder, self.spec.to_json(), summary)
        state = {
            "encoder": self.encoder.state_dict(),
            "objective": self.objective.state_dict(),
            "palw": self.objective.palw.state_dict() if self.objective.palw else {},
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "best_r1": self.best_r1,
            "elapsed_s": self.elapsed_s,
            "torch_rng": torch.get_rng_state(),
        }
        save_state(self.out / STATE, state)

    def restore(self) -> None:
        """Continue from ``state.pt``; raises TrainError."""
        state = load_state(self.out / STATE)
        self.encoder.load_state_dict(state["encoder"])
        self.objective.load_state_dict(state["objective"])
        if self.objective.palw:
            self.objective.palw.load_state_dict(state["palw"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.best_r1 = state["step"], state["best_r1"]
        self._spent_s, self._started = state["elapsed_s"], time.monotonic()
        torch.set_rng_state(state["torch_rng"])


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


def _device(name: str) -> str:
    """``auto`` takes a GPU where there is one; raises TrainError where one is asked for and is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainError(f"--device {name}: PyTorch {torch.__version__} sees no CUDA GPU; leave --device out")
    return name
