"""A run's log on disk: no step stands there twice, and live curves say what it says."""

from __future__ import annotations

import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.train.fit.runs import fit, stop_after
from train.fit.log_line import read_log
from train.spec import TrainSpec


def test_what_was_logged_after_the_last_save_is_not_there_twice(tiny: TrainSpec, tmp_path: Path) -> None:
    spec = replace(tiny, steps=4, save_every=2, eval_every=2)
    fit(spec, tmp_path, stop=stop_after(2))
    shutil.copy(tmp_path / "state.pt", tmp_path / "older")
    fit(spec, tmp_path, resume=True)
    steps = [line.step for line in read_log(tmp_path / "log.jsonl")]
    (tmp_path / "older").replace(tmp_path / "state.pt")  # as if the run had been killed at the end
    fit(spec, tmp_path, resume=True)
    assert [line.step for line in read_log(tmp_path / "log.jsonl")] == steps == [0, 1, 2, 2, 3, 4, 4]


def test_live_curves_say_what_the_log_says(tiny: TrainSpec, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(replace(tiny, steps=2), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    logged = [line.values["loss"] for line in read_log(tmp_path / "log.jsonl") if not line.is_validation]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(logged)
    assert events.Scalars("held-out/r1")


def test_without_tensorboard_a_run_says_so_once_and_trains(
    tiny: TrainSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    caplog.set_level(logging.INFO, "train")
    fit(replace(tiny, steps=2), tmp_path)
    assert caplog.text.count("pip install tensorboard") == 1
    assert not (tmp_path / "tensorboard").exists()
