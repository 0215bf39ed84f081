"""A run as a whole: it goes on as if it never stopped, keeps the best, and tells what it did."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import train.fit.run_state
import train.fit.validation
from runtime.errors import SettingsError, TrainError
from train.data.dataset import PairDataset
from train.fit.fit import fit as fit_and_draw
from train.fit.plots import read_log
from train.fit.run_state import Run, lr_factor
from train.fit.validation import HeldOut
from train.model.checkpoint import load_encoder, load_state, read_summary
from train.model.encoder import Encoder
from train.spec import TrainSpec

fit = partial(fit_and_draw, draw=False)  # pictures take longer than these runs


def _after(*stops: int) -> Callable[[], bool]:
    """A ``stop`` that asks to stop at these steps of a part."""
    count = iter(range(1, 1000))
    return lambda: next(count) in stops


def _assert_same(a: Any, b: Any, path: str) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for name in a.keys() - {"elapsed_s", "summary"}:
            _assert_same(a[name], b[name], f"{path}.{name}")
    elif isinstance(a, list):
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            _assert_same(x, y, f"{path}[{k}]")
    else:
        assert a == b, path


class Forgetful(Encoder):
    """Draws random numbers as it trains."""

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(super().features(images), 0.1, self.training)


def test_a_stopped_run_goes_on_bit_by_bit_as_if_it_never_stopped(
    tiny_warm: TrainSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With averaged weights, PALW, tables of look-alikes, dropout, chunks, prefixes, and two sizes of pictures."""
    monkeypatch.setattr(train.fit.run_state, "Encoder", Forgetful)
    spec = replace(tiny_warm, steps=10, ema=0.9, hard_every=2, chunk=6, matryoshka=(8,), eval_every=5)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit(spec, whole)
    fit(spec, parts, stop=_after(3))
    assert read_log(parts / "log.jsonl")[-1]["step"] == 3
    fit(spec, parts, resume=True, stop=_after(1))  # ends where a table is due
    fit(spec, parts, resume=True, stop=_after(3))  # ends where one is in use
    fit(spec, parts, resume=True)
    states = [load_state(folder / "state.pt") for folder in (whole, parts)]
    assert states[0]["neighbours"] is not None
    _assert_same(*states, "state")
    for name in ("last", "best"):
        encoders = [load_encoder(folder / f"{name}.safetensors")[0] for folder in (whole, parts)]
        _assert_same(*(dict(encoder.state_dict()) for encoder in encoders), name)
    lines = [[{**line, "elapsed_s": 0} for line in read_log(folder / "log.jsonl")] for folder in (whole, parts)]
    assert json.dumps(lines[0]) == json.dumps(lines[1])


def test_a_run_that_was_killed_between_two_files_is_mended_by_its_state(tiny: TrainSpec, tmp_path: Path) -> None:
    fit(tiny, tmp_path, stop=_after(3))
    shutil.copy(tmp_path / "last.safetensors", tmp_path / "older")
    fit(tiny, tmp_path, resume=True)
    last = load_encoder(tmp_path / "last.safetensors")[0]
    shutil.copy(tmp_path / "older", tmp_path / "last.safetensors")
    run = Run(tiny, tmp_path)
    places = _places(tiny)
    run.restore(places)
    again, about = load_encoder(tmp_path / "last.safetensors")
    _assert_same(dict(again.state_dict()), dict(last.state_dict()), "last")
    assert about["summary"]["steps"] == 6
    best = read_summary(tmp_path / "best.safetensors")
    assert run.best == (best["r1"], best["ap"])
    with pytest.raises(TrainError, match="no longer what the run was started on"):
        run.restore(places[:-1])


def _places(spec: TrainSpec) -> list[int]:
    from train.fit.fit import _datasets

    return _datasets(spec)[0].places


def test_a_resumed_run_keeps_its_settings_and_a_new_one_takes_no_used_folder(tiny: TrainSpec, tmp_path: Path) -> None:
    fit(replace(tiny, steps=2, save_every=1), tmp_path)
    with pytest.raises(SettingsError, match=r"lr is 0\.0005 in the run and 0\.001 asked"):
        fit(replace(tiny, lr=1e-3), tmp_path, resume=True)
    with pytest.raises(TrainError, match="holds a run already"):
        fit(tiny, tmp_path)


def test_what_was_logged_after_the_last_save_is_not_there_twice(tiny: TrainSpec, tmp_path: Path) -> None:
    spec = replace(tiny, steps=4, save_every=2, eval_every=2)
    fit(spec, tmp_path, stop=_after(2))
    shutil.copy(tmp_path / "state.pt", tmp_path / "older")
    fit(spec, tmp_path, resume=True)
    steps = [line["step"] for line in read_log(tmp_path / "log.jsonl")]
    (tmp_path / "older").replace(tmp_path / "state.pt")  # as if the run had been killed at the end
    fit(spec, tmp_path, resume=True)
    assert [line["step"] for line in read_log(tmp_path / "log.jsonl")] == steps == [0, 1, 2, 2, 3, 4, 4]


def test_averaged_weights_follow_the_last_ones_and_are_what_is_scored(tiny: TrainSpec, tmp_path: Path) -> None:
    run = Run(replace(tiny, ema=0.5), tmp_path)
    weight, want = run.encoder.head.weight, None
    for step in range(4):
        with torch.no_grad():
            weight.add_(step + 1.0)
        run.advance()
        decay = min(0.5, (1 + step) / (10 + step))
        want = weight.clone() if want is None else decay * want + (1 - decay) * weight
    assert torch.allclose(run.scored.head.weight, want)
    assert run.scored is not run.encoder
    assert Run(tiny, tmp_path).scored.head.weight.requires_grad


def test_activations_computed_twice_give_the_same_gradients(tiny: TrainSpec, tmp_path: Path) -> None:
    spec = tiny.changed({"encoder.backbone": "test_convnext"})
    pictures = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    gradients = []
    for checkpointing in (False, True):
        encoder = Run(replace(spec, checkpointing=checkpointing), tmp_path).encoder
        encoder(pictures)[:, 0].sum().backward()
        gradients.append(encoder.backbone.stem[0].weight.grad)
    assert gradients[0].abs().max() > 0
    assert torch.allclose(*gradients)
    with pytest.raises(TrainError, match="has no activation checkpointing"):
        Run(spec.changed({"encoder.backbone": "dla46_c", "checkpointing": True}), tmp_path)


def test_the_best_encoder_is_by_r1_and_then_by_ap(
    tiny: TrainSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Four(PairDataset):
        def __init__(self) -> None:
            self.places = [0, 1, 2, 3]

    run, held_out = Run(tiny, tmp_path), HeldOut(Four())
    tile = np.eye(4, dtype=np.float32)
    # Views that are most like another tile, with the right one in second and in third place.
    second, third = (
        0.8 * np.roll(tile, 1, axis=0) + 0.6 * tile,
        0.8 * np.roll(tile, 1, axis=0) + 0.6 * np.roll(tile, 2, axis=0),
    )
    bests = []
    for step, wrong in enumerate((third, second, third, second), 1):
        drone = np.concatenate([tile[:2], wrong[2:]]).astype(np.float32)  # half are right
        monkeypatch.setattr(train.fit.validation, "embed_views", lambda *_args, drone=drone: (drone, tile))
        run.step = step
        held_out.validate(run)
        bests.append(read_summary(tmp_path / "best.safetensors")["step"])
    assert bests == [1, 2, 2, 2]  # R@1 is one half each time
    assert run.best == (0.5, 0.5 * 1 + 0.5 * 0.25)


def test_live_curves_say_what_the_log_says(tiny: TrainSpec, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(replace(tiny, steps=2), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    logged = [line["loss"] for line in read_log(tmp_path / "log.jsonl") if "loss" in line]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(logged)
    assert events.Scalars("held-out/r1")


def test_without_tensorboard_a_run_says_so_once_and_trains(
    tiny: TrainSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    fit(replace(tiny, steps=2), tmp_path)
    assert capsys.readouterr().err.count("pip install tensorboard") == 1
    assert not (tmp_path / "tensorboard").exists()


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    rates = np.array([lr_factor(p, 0.1) for p in np.linspace(0, 1, 101)])
    assert (np.diff(rates[:10]) > 0).all()
    assert (np.diff(rates[11:]) < 0).all()
    assert (rates[10], rates[-1]) == (1.0, pytest.approx(0.0))
