"""A run as the command starts it: which settings flags and presets come to, and what is said of how it went."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import SettingsError, SkyfixError
from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from train.fit.fit import RunOutcome
from train.fit.launch import _finish_on_interrupt, _line_logger, _log_outcome, choose_spec
from train.fit.log_line import LogLine
from train.fit.run_state import RunSummary
from train.model.bundle_weights import encoder_settings
from train.options import RunRequest
from train.spec import PRESETS, TrainSpec


def test_flags_change_the_settings_that_they_name_and_no_other() -> None:
    settings = {"data": ("world:1",), "dphr.rda": False, "encoder.dim": 512, "minutes": 5.0}
    spec, out = choose_spec(RunRequest(settings, preset="paper"))
    assert spec == PRESETS["paper"].changed(settings).changed({"steps": spec.steps})
    assert spec.steps > 10**9  # the clock alone decides
    assert out == Path("runs/paper")
    assert choose_spec(RunRequest({"minutes": 5.0, "steps": 7}))[0].steps == 7


def test_starting_from_the_default_takes_its_shape_and_the_small_steps_of_adapting(default_bundle: Path) -> None:
    shipped = OnnxEngine(Bundle.open(default_bundle))
    spec, out = choose_spec(RunRequest({"encoder.init": "default", "data": ("overhead:map.tif",)}))
    assert out.name == "adapt"
    assert spec.view.beside
    assert (spec.encoder.dim, spec.encoder.side_px) == (shipped.dim, shipped.side_px)
    assert spec.encoder.backbone == encoder_settings("default")["encoder.backbone"]
    shorter, _ = choose_spec(RunRequest({"encoder.init": "default", "encoder.dim": 64}, preset="edge"))
    assert shorter.encoder.dim == 64
    assert not shorter.view.beside


def test_a_bundle_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SkyfixError, match=r"nowhere\.bundle"):
        choose_spec(RunRequest({"encoder.init": str(tmp_path / "nowhere.bundle")}))


def test_a_resumed_run_takes_its_own_settings_and_may_be_prolonged(tiny: TrainSpec, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(tiny.to_json()))
    spec, out = choose_spec(RunRequest({"steps": 99}, resume=tmp_path))
    assert (spec, out) == (tiny.changed({"steps": 99}), tmp_path)
    with pytest.raises(SettingsError, match="drop --preset and --out"):
        choose_spec(RunRequest({}, preset="edge", out=Path("other"), resume=tmp_path))


def test_validations_are_logged_always_and_steps_now_and_then(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "train")
    ticks: list[tuple[int, int]] = []
    log_line = _line_logger(lambda done, total: ticks.append((done, total)))
    for step in range(1, 42):
        log_line(LogLine(step, {"loss": step / 10, "lambda_t": 0.25}, 3.0), step / 100)
    log_line(LogLine(41, {"r1": 0.5, "r5": 0.75, "ap": 0.6}, 3.2), 0.41)
    assert [record.getMessage() for record in caplog.records] == [
        "step 1: loss 0.100 lambda 0.25 1% after 3 s",
        "step 21: loss 2.100 lambda 0.25 21% after 3 s",
        "step 41: loss 4.100 lambda 0.25 41% after 3 s",
        "step 41: held-out R@1 50.0% R@5 75.0% AP 60.0%",
    ]
    assert len(ticks) == 42
    assert ticks[-1] == (410, 1000)


def _outcome(before: float | None, best: float | None, *, stopped: bool = False) -> RunOutcome:
    return RunOutcome(RunSummary(6, 90.0, before, best, best, best), stopped, (Path("run/curves.png"),))


def test_the_outcome_says_how_good_it_is_and_what_comes_next(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "train")
    _log_outcome(_outcome(0.25, 0.5), Path("run"))
    assert "R@1 on held-out places: 25.0% before training, 50.0% at the end, 50.0% at best" in caplog.text
    assert "6 steps in 1.5 min" in caplog.text
    assert "python -m export.onnx run/best.safetensors" in caplog.text
    assert "no better" not in caplog.text


def test_a_run_that_made_nothing_better_or_was_stopped_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "train")
    _log_outcome(_outcome(0.5, 0.25), Path("run"))
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert "it is no better than what it started from" in caplog.text
    caplog.clear()
    _log_outcome(_outcome(None, None, stopped=True), Path("run"))
    assert caplog.messages[-1] == "stopped; go on with: python -m train.run --resume run"


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Let Ctrl-C interrupt, which a shell's background job ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_the_first_interrupt_asks_to_stop_and_the_second_interrupts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "train")
    with _finish_on_interrupt(announce=True) as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        assert caplog.messages == ["finishing the step and saving; Ctrl-C again to drop it"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
