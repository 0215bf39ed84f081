"""Training of local features: one optimiser, one clock, one file at the end."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from runtime.errors import TrainError
from runtime.model.bundle import MATCHER_FILE, Bundle
from runtime.types import Tick
from train.data.dataset import prepare_worker
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.split import TrainSplit
from train.data.view_spec import ViewSpec
from train.local.losses import LocalLosses, local_loss
from train.local.network import LocalMaps, LocalNetwork
from train.local.pairs import MatchedPair, MatchedPairs, collate
from train.local.spec import LocalSpec
from train.local.store import build_network, save_local

_WARM_STEPS = 100
_MOST_STEPS = 1_000_000
_VAL_BATCHES, _VAL_SEED = 6, 1_000_003
_LOG_EVERY = 50  # steps
_YAW_ERROR_DEG = 25.0  # headings are supposed 45 degrees apart where none is known


@dataclass(frozen=True, slots=True)
class LocalScores:
    """A finished training: its steps, and the mean losses over held-out pairs."""

    steps: float
    descriptor: float
    reliability: float
    keypoint: float
    right: float  # share of held-out points whose nearest descriptor was the right one


def fit(spec: LocalSpec, out: Path, *, teacher: Path, tick: Tick) -> LocalScores:
    """Train by the clock, and write ``local.safetensors``; returns held-out scores. Raises SkyfixError."""
    if spec.threads:
        torch.set_num_threads(spec.threads)
    torch.manual_seed(spec.seed)
    network = build_network(spec.init).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learnt = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=spec.lr, weight_decay=1e-4)
    generator = torch.Generator().manual_seed(spec.seed)
    held_out = _loader(spec, "val", teacher, _VAL_BATCHES * spec.batch, 0)  # opened now: what lacks is told at once
    training = iter(_loader(spec, "train", teacher, _MOST_STEPS * spec.batch, spec.workers))
    began, step, elapsed_s = time.monotonic(), 0, 0.0
    while elapsed_s < spec.minutes * 60:
        for group in optimiser.param_groups:
            group["lr"] = spec.lr * _share_of_lr(step, elapsed_s / (spec.minutes * 60))
        losses = _losses(network.train(), next(training), spec, generator)
        optimiser.zero_grad()
        losses.total().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learnt, 5.0)
        optimiser.step()
        step, elapsed_s = step + 1, time.monotonic() - began
        tick(int(min(elapsed_s, spec.minutes * 60)), int(spec.minutes * 60))
        if step % _LOG_EVERY == 0:
            rounded = {name: round(value, 4) for name, value in losses.as_numbers().items()}
            _log(out, {"step": step, "elapsed_s": round(elapsed_s, 1), **rounded})
    scores = LocalScores(float(step), **_validate(network, spec, held_out))
    _log(out, asdict(scores))
    save_local(out / "local.safetensors", network, spec, asdict(scores))
    return scores


def _losses(network: LocalNetwork, pair: MatchedPair, spec: LocalSpec, generator: torch.Generator) -> LocalLosses:
    """Return a batch's losses; both views pass the network together."""
    with torch.autocast("cpu", torch.bfloat16, enabled=spec.amp == "bf16"):
        both = network(torch.cat([pair.drone, pair.tile]))
    half = len(pair.drone)
    drone, tile = (LocalMaps(*(maps[part] for maps in both)) for part in (slice(half), slice(half, None)))
    return local_loss(drone, tile, pair, spec.points, generator)


def _validate(network: LocalNetwork, spec: LocalSpec, held_out: Iterable[MatchedPair]) -> dict[str, float]:
    """Return the mean of each loss over held-out batches."""
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        numbers = [_losses(network.eval(), pair, spec, generator).as_numbers() for pair in held_out]
    return {name: float(torch.tensor([row[name] for row in numbers]).mean()) for name in LocalLosses._fields}


def _loader(spec: LocalSpec, split: TrainSplit, teacher: Path, count: int, workers: int) -> DataLoader[MatchedPair]:
    """Return ``count`` pairs of a split in batches; raises SkyfixError."""
    view = ViewSpec(footprint_m=spec.footprint, quilt=spec.quilt, yaw_error_deg=_YAW_ERROR_DEG, warp=True)
    Bundle.open(teacher, "matcher").file(MATCHER_FILE)
    sources = open_sources(spec.data, Choice(split, spec.only_may_ship), view)
    if not sources:
        raise TrainError(
            f"--data {' '.join(spec.data)} has no scenes of {split}; add a source that holds some, as world:1"
        )
    seed = spec.seed if split == "train" else _VAL_SEED
    pairs = MatchedPairs(sources, seed=seed, side_px=spec.side, strength=spec.strength, count=count, teacher=teacher)
    return DataLoader(
        pairs, spec.batch, collate_fn=collate, num_workers=workers, worker_init_fn=prepare_worker if workers else None
    )


def _share_of_lr(step: int, part: float) -> float:
    """Return the share of the learning rate: up over the first steps, down along a cosine over the clock."""
    return min(1.0, (step + 1) / _WARM_STEPS) * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))


def _log(out: Path, line: Mapping[str, float]) -> None:
    """Append a line to the run's log."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
