"""What the tests of a run share: runs without pictures, stops at chosen steps, and comparison of nested states."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from train.data.dataset import PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.fit.fit import fit as fit_and_draw
from train.spec import TrainSpec

fit = partial(fit_and_draw, draw=False)  # pictures take longer than these runs


def stop_after(*steps: int) -> Callable[[], bool]:
    """A ``stop`` that asks to stop at these steps of a part."""
    count = iter(range(1, 1000))
    return lambda: next(count) in steps


def open_split(spec: TrainSpec, split: str) -> PairDataset:
    """The places of a run's split, in the views that the run has of them."""
    sources = open_sources(spec.data, Choice(split), spec.view)
    return PairDataset(sources, seed=spec.seed, side_px=spec.encoder.side_px, strength=spec.augment)


def assert_same(a: Any, b: Any, path: str) -> None:
    """Every tensor and value is equal, but for times and what sums them up."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for name in a.keys() - {"elapsed_s", "summary"}:
            assert_same(a[name], b[name], f"{path}.{name}")
    elif isinstance(a, list):
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{k}]")
    else:
        assert a == b, path
