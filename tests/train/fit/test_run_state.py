"""A run's state: what it keeps over a stop, which encoder is the best, and how fast it learns when."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import TrainError
from tests.train.fit.runs import assert_same, fit, open_split, stop_after
from train.fit.run_state import Run, RunSummary, lr_factor
from train.model.checkpoint import load_encoder, load_state, read_summary, save_state
from train.scoring.ranking import Scores
from train.spec import TrainSpec

NOTHING_YET = RunSummary(0, 0.0, None, None, None, None)


def test_a_run_that_was_killed_between_two_files_is_mended_by_its_state(tiny: TrainSpec, tmp_path: Path) -> None:
    fit(tiny, tmp_path, stop=stop_after(3))
    shutil.copy(tmp_path / "last.safetensors", tmp_path / "older")
    fit(tiny, tmp_path, resume=True)
    last = load_encoder(tmp_path / "last.safetensors")[0]
    shutil.copy(tmp_path / "older", tmp_path / "last.safetensors")
    run = Run(tiny, tmp_path)
    places = open_split(tiny, "train").places
    run.restore(places)
    again, about = load_encoder(tmp_path / "last.safetensors")
    assert_same(dict(again.state_dict()), dict(last.state_dict()), "last")
    assert about["summary"]["steps"] == 6
    best = read_summary(tmp_path / "best.safetensors")
    assert run.best == (best["r1"], best["ap"])
    with pytest.raises(TrainError, match="no longer what the run was started on"):
        run.restore(places[:-1])


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


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    rates = np.array([lr_factor(p, 0.1) for p in np.linspace(0, 1, 101)])
    assert (np.diff(rates[:10]) > 0).all()
    assert (np.diff(rates[11:]) < 0).all()
    assert (rates[10], rates[-1]) == (1.0, pytest.approx(0.0))


def test_a_state_of_another_format_is_refused(tiny: TrainSpec, tmp_path: Path) -> None:
    run = Run(tiny, tmp_path)
    run.save(NOTHING_YET, [0, 1])
    state = load_state(tmp_path / "state.pt")
    save_state(tmp_path / "state.pt", {**state, "format": 1})
    with pytest.raises(TrainError, match="has format 1; this Skyfix reads 2"):
        run.restore([0, 1])


def test_the_best_encoder_is_by_r1_and_then_by_ap(tiny: TrainSpec, tmp_path: Path) -> None:
    run, kept = Run(tiny, tmp_path), []
    run.keep_best(Scores(1.0, 1.0, 1.0, 1.0, 1.0, 4, 4))
    assert not (tmp_path / "best.safetensors").exists()  # before the first step nothing has been learnt
    for step, (r1, ap) in enumerate([(0.5, 0.6), (0.5, 0.7), (0.4, 0.9), (0.5, 0.7), (0.6, 0.1)], 1):
        run.step = step
        run.keep_best(Scores(r1, 0.8, 0.9, r1, ap, 4, 4))
        kept.append(read_summary(tmp_path / "best.safetensors")["step"])
    assert kept == [1, 2, 2, 2, 5]
    assert run.best == (0.6, 0.1)
    summary = read_summary(tmp_path / "best.safetensors")
    assert (summary["r1"], summary["ap"], summary["queries"]) == (0.6, 0.1, 4)


def test_hardness_is_wanted_at_the_start_and_at_each_third_of_a_run(tiny: TrainSpec, tmp_path: Path) -> None:
    run, wanted = Run(replace(tiny, steps=9), tmp_path), []
    for step in range(10):
        run.step = step
        if run.wants_hardness:
            wanted.append(step)
            run.keep_hardness(torch.zeros(1))
    assert wanted == [0, 3, 6, 9]
    assert list(run.hardness) == [f"step {step}" for step in wanted]


def test_a_run_ends_by_steps_or_by_the_clock_whichever_comes_first(tiny: TrainSpec, tmp_path: Path) -> None:
    run = Run(replace(tiny, steps=4), tmp_path)
    by_steps = [run.progress]
    for _ in range(4):
        run.advance()
        by_steps.append(run.progress)
    assert by_steps == [0.0, 0.25, 0.5, 0.75, 1.0]
    hurried = Run(replace(tiny, steps=10**9, minutes=1e-9), tmp_path)
    assert hurried.progress == 0.0  # the clock counts at steps, so that all ranks agree
    hurried.advance()
    assert hurried.progress == 1.0


@given(st.floats(0.0, 1.0), st.floats(0.0, 0.9))
def test_the_learning_rate_is_a_share_and_never_nothing_before_the_end(progress: float, warmup: float) -> None:
    rate = lr_factor(progress, warmup)
    assert 0.0 <= rate <= 1.0
    assert rate > 0 or progress > 0.999


def test_after_the_rise_the_learning_rate_is_half_a_cosine() -> None:
    assert lr_factor(0.0, 0.0) == 1.0
    assert lr_factor(0.55, 0.1) == pytest.approx(0.5)
    assert lr_factor(0.325, 0.1) == pytest.approx(0.5 + math.sqrt(2) / 4)
    assert lr_factor(0.05, 0.1) == pytest.approx(0.5)


def test_the_head_learns_faster_than_the_backbone_by_the_factor(tiny: TrainSpec, tmp_path: Path) -> None:
    run = Run(replace(tiny, lr=1e-3, head_lr_factor=3.0, warmup=0.0), tmp_path)
    run.set_lr()
    slow, fast = run.optimizer.param_groups
    assert (slow["lr"], fast["lr"]) == (pytest.approx(1e-3), pytest.approx(3e-3))
    held = {id(parameter) for parameter in fast["params"]}
    assert id(run.encoder.head.weight) in held
    assert id(run.objective.log_scale) in held
    assert len(held) + len(slow["params"]) == len([*run.encoder.parameters(), *run.objective.parameters()])


def test_what_a_machine_or_a_backbone_cannot_do_is_refused(tiny: TrainSpec, tmp_path: Path) -> None:
    vit = {"encoder.backbone": "test_vit", "encoder.side_px": 160, "warm_side_px": 96}
    with pytest.raises(TrainError, match="reads pictures of one size; leave --warm-side out"):
        Run(tiny.changed(vit), tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(TrainError, match=r"--device cuda: PyTorch .* sees no CUDA GPU"):
            Run(replace(tiny, device="cuda"), tmp_path)
