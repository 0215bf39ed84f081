"""A run in progress: what a step changes, and what a resumed run needs."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from runtime.errors import TrainError
from train.fit.distributed import Ranks
from train.fit.gradient_cache import rng_states, set_rng_states
from train.losses.objective import Objective
from train.model.amp import amp_dtype, grad_scaler
from train.model.checkpoint import BEST, LAST, STATE, load_state, read_summary, save_encoder, save_state
from train.model.cpu_convolutions import quicken
from train.model.encoder import Encoder
from train.model.fake_quant import quantise
from train.model.teacher import Teacher
from train.scoring.ranking import Scores
from train.spec import TrainSpec

_FORMAT = 2
_HARDNESS_TIMES = 3  # beside the start
_Tensors = tuple[Tensor, ...] | list[Tensor]  # as AveragedModel has them


def lr_factor(progress: float, warmup: float) -> float:
    """Return the share of the highest learning rate: a linear rise over ``warmup``, then half a cosine down to 0."""
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (progress - warmup) / (1.0 - warmup))))


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The state of a run in numbers: how far it is, and R@1 of held-out places, None where it was not measured."""

    steps: int
    elapsed_s: float
    r1_before: float | None  # before the first step
    r1_best: float | None
    r1_last: float | None
    ap_last: float | None


class Run:
    """The networks, optimiser and counters of a run, and the files that keep them.

    ``state.pt`` is the authority on where a run is; ``last.safetensors`` is its encoder, written again where it is
    older; ``best.safetensors`` says itself how good it is. So a run that is killed between two files is not torn.
    """

    def __init__(self, spec: TrainSpec, out: Path, ranks: Ranks = Ranks()) -> None:  # noqa: B008  (frozen)
        """Build all parts with the weights that ``spec`` asks for, the same on every rank; raises SkyfixError."""
        self.spec, self.out, self.ranks = spec, out, ranks
        self.device = torch.device(_device(spec.device))
        dtype = amp_dtype(spec.amp, self.device)
        torch.manual_seed(spec.seed)
        self.encoder = _encoder(spec, dtype).to(self.device)
        ranks.synchronise_norms(self.encoder)
        ranks.copy_first(self.encoder.state_dict().values())
        self.scaler = grad_scaler(dtype, self.device)
        self.objective = Objective(
            spec.host, spec.dphr, spec.label_smoothing, matryoshka=spec.matryoshka, mean=ranks.mean
        ).to(self.device)
        self.optimizer = _optimizer(spec, self.encoder, self.objective)
        self.teacher = _teacher(spec, self.device, dtype)
        self._averaged = _averaged(self.encoder, spec.ema)
        if spec.quantise:
            quantise(self.encoder)
        elif self.device.type == "cpu":
            quicken(self.encoder)
        self.neighbours: NDArray[np.int32] | None = None  # (P, R) for hard batches
        self.hardness: dict[str, Tensor] = {}  # by time, (n,) RDA's h of triplets of held-out places
        self.step = 0
        self.best = (-1.0, -1.0)  # R@1, and AP to break its ties
        self._spent_s, self._started = 0.0, time.monotonic()
        self._agreed_s = 0.0

    @property
    def scored(self) -> Encoder:
        """Return the encoder that is validated and saved: the one of averaged weights where there is one."""
        return cast(Encoder, self._averaged.module) if self._averaged else self.encoder

    @property
    def elapsed_s(self) -> float:
        """Return the wall time of this run, of earlier parts too."""
        return self._spent_s + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Return 0 at the start and 1 when steps or minutes are used up; the same on all ranks, moved on by a step."""
        by_time = self._agreed_s / (60 * self.spec.minutes) if self.spec.minutes else 0.0
        return min(1.0, max(self.step / self.spec.steps, by_time))

    def advance(self) -> None:
        """Count a step, average its weights, and set the next one's learning rate."""
        self.step += 1
        self._agreed_s = self.ranks.first(self.elapsed_s)
        if self._averaged:
            self._averaged.update_parameters(self.encoder)
        self.set_lr()

    def set_lr(self) -> None:
        """Set the learning rate of the next step."""
        factor = lr_factor(self.progress, self.spec.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = self.spec.lr * group["factor"] * factor

    @property
    def wants_hardness(self) -> bool:
        """Tell whether the hardness of held-out triplets is due: at the start, and at each third of the run."""
        return len(self.hardness) <= int(_HARDNESS_TIMES * self.progress)

    def keep_hardness(self, hardness: Tensor) -> None:  # (n,)
        """Keep the hardness of held-out triplets at this step, to be drawn at the end."""
        self.hardness[f"step {self.step}"] = hardness

    def keep_best(self, scores: Scores) -> None:
        """Save the encoder where it is the best so far by R@1 and then AP, and has taken a step; raises TrainError."""
        if self.step and (scores.r1, scores.ap) > self.best:
            summary = {"step": self.step, "elapsed_s": self.elapsed_s, **asdict(scores)}
            save_encoder(self.out / BEST, self.scored, self.spec.to_json(), summary)
            self.best = (scores.r1, scores.ap)

    def save(self, run_summary: RunSummary, places: Sequence[int]) -> None:
        """Write ``state.pt``, then ``last.safetensors``; raises TrainError, and then the older ones stand."""
        summary = asdict(run_summary)
        state = {
            "format": _FORMAT,
            "summary": summary,
            "places": _fingerprint(places),
            "neighbours": None if self.neighbours is None else torch.from_numpy(self.neighbours),
            "hardness": self.hardness,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "rng": rng_states(self.device),
            **{name: part.state_dict() for name, part in self._parts().items()},
        }
        save_state(self.out / STATE, state)
        save_encoder(self.out / LAST, self.scored, self.spec.to_json(), summary)

    def restore(self, places: Sequence[int]) -> None:
        """Continue from ``state.pt``; ``places`` are those of the data, which must be the same. Raises TrainError."""
        path = self.out / STATE
        state = load_state(path)
        if state.get("format") != _FORMAT:
            raise TrainError(
                f"{path} has format {state.get('format')}; this Skyfix reads {_FORMAT}: start the run anew"
            )
        if state["places"] != _fingerprint(places):
            raise TrainError(f"{path}: the data is no longer what the run was started on; start the run anew")
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.neighbours = None if state["neighbours"] is None else state["neighbours"].numpy()
        self.hardness = state["hardness"]
        self.step, self._spent_s, self._started = state["step"], state["elapsed_s"], time.monotonic()
        self._agreed_s = self._spent_s
        set_rng_states(self.device, state["rng"])
        if self.ranks.is_first and read_summary(self.out / LAST) != state["summary"]:
            save_encoder(self.out / LAST, self.scored, self.spec.to_json(), state["summary"])
        best = read_summary(self.out / BEST)
        self.best = (best.get("r1", -1.0), best.get("ap", -1.0))

    def _parts(self) -> dict[str, Any]:
        """Return the parts that have a state of their own; the objective's holds PALW's."""
        parts = {
            "encoder": self.encoder,
            "objective": self.objective,
            "optimizer": self.optimizer,
            "scaler": self.scaler,
        }
        return {**parts, "averaged": self._averaged} if self._averaged else parts


def _encoder(spec: TrainSpec, dtype: torch.dtype | None) -> Encoder:
    """Build the encoder; raises TrainError where its backbone cannot do what the spec asks."""
    fixed_norms = not spec.train_norms and spec.encoder.init != "random"
    encoder = Encoder(spec.encoder, amp_dtype=dtype, fixed_norms=fixed_norms)
    name = spec.encoder.backbone
    if spec.warm_side_px and encoder.backbone.pretrained_cfg.get("fixed_input_size"):
        raise TrainError(f"{name} reads pictures of one size; leave --warm-side out, or set it to 0")
    if spec.checkpointing:
        try:
            encoder.backbone.set_grad_checkpointing(True)
        except (AttributeError, AssertionError):
            raise TrainError(f"{name} has no activation checkpointing; use --chunk instead") from None
    return encoder


def _optimizer(spec: TrainSpec, encoder: Encoder, objective: Objective) -> torch.optim.Optimizer:
    """Build AdamW with one learning rate for the backbone and another for the head and the temperature."""
    slow = {"params": list(encoder.backbone.parameters()), "factor": 1.0}
    fast = {"params": [*encoder.head.parameters(), *objective.parameters()], "factor": spec.head_lr_factor}
    return torch.optim.AdamW([slow, fast], lr=spec.lr, weight_decay=spec.weight_decay)


def _teacher(spec: TrainSpec, device: torch.device, dtype: torch.dtype | None) -> Teacher | None:
    """Load the teacher, where the spec has one; raises TrainError."""
    if not spec.teacher:
        return None
    return Teacher(Path(spec.teacher), device=device, amp_dtype=dtype, weight=spec.distill)


def _averaged(encoder: Encoder, decay: float) -> AveragedModel | None:
    """Copy the encoder to average its weights and buffers exponentially; None without ``decay``.

    In the first steps the average is of few, or it would lag behind.
    """
    if not decay:
        return None

    def average(averaged: _Tensors, current: _Tensors, count: Tensor | int) -> None:
        n = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averaged, current, count)  # type: ignore[no-untyped-call]

    return AveragedModel(encoder, multi_avg_fn=average, use_buffers=True)


def _fingerprint(places: Sequence[int]) -> str:
    """Return a digest of the number of scenes and of which of them are of one place."""
    return f"{len(places)} scenes, {hashlib.sha256(np.asarray(places, np.int64).tobytes()).hexdigest()[:16]}"


def _device(name: str) -> str:
    """Return the device's name; ``auto`` takes a GPU where there is one. Raises TrainError where one is missing."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainError(f"--device {name}: PyTorch {torch.__version__} sees no CUDA GPU; leave --device out")
    return name
