"""What changes while a run trains, and what a resumed run needs."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch

from runtime.errors import TrainError
from train.checkpoint import LAST, STATE, load_state, save_encoder, save_state
from train.encoder import Encoder
from train.losses.objective import Objective
from train.spec import TrainSpec


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


def _device(name: str) -> str:
    """``auto`` takes a GPU where there is one; raises TrainError where one is asked for and is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainError(f"--device {name}: PyTorch {torch.__version__} sees no CUDA GPU; leave --device out")
    return name
