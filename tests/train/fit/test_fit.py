"""A run as a whole: it goes on as if it never stopped, sums itself up, and draws what there is to draw."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch

import train.fit.run_state
from runtime.errors import DataError, SettingsError, TrainError
from tests.train.conftest import draw_place
from tests.train.fit.runs import assert_same, fit, stop_after
from train.fit.distributed import Ranks
from train.fit.fit import fit as fit_and_draw
from train.fit.fit import read_spec
from train.fit.log_line import LogLine, read_log
from train.model.checkpoint import load_encoder, load_state, read_summary
from train.model.encoder import Encoder
from train.spec import TrainSpec


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
    fit(spec, parts, stop=stop_after(3))
    assert read_log(parts / "log.jsonl")[-1].step == 3
    fit(spec, parts, resume=True, stop=stop_after(1))  # ends where a table is due
    fit(spec, parts, resume=True, stop=stop_after(3))  # ends where one is in use
    fit(spec, parts, resume=True)
    states = [load_state(folder / "state.pt") for folder in (whole, parts)]
    assert states[0]["neighbours"] is not None
    assert_same(*states, "state")
    for name in ("last", "best"):
        encoders = [load_encoder(folder / f"{name}.safetensors")[0] for folder in (whole, parts)]
        assert_same(*(dict(encoder.state_dict()) for encoder in encoders), name)
    lines = [[{**line.to_json(), "elapsed_s": 0} for line in read_log(at / "log.jsonl")] for at in (whole, parts)]
    assert json.dumps(lines[0]) == json.dumps(lines[1])


def test_a_resumed_run_keeps_its_settings_and_a_new_one_takes_no_used_folder(tiny: TrainSpec, tmp_path: Path) -> None:
    fit(replace(tiny, steps=2, save_every=1), tmp_path)
    assert read_spec(tmp_path) == replace(tiny, steps=2, save_every=1)
    with pytest.raises(SettingsError, match=r"lr is 0\.0005 in the run and 0\.001 asked"):
        fit(replace(tiny, lr=1e-3), tmp_path, resume=True)
    with pytest.raises(TrainError, match="holds a run already"):
        fit(tiny, tmp_path)


def test_the_summary_is_what_the_log_and_the_checkpoints_say(tiny: TrainSpec, tmp_path: Path) -> None:
    heard: list[tuple[LogLine, float]] = []
    outcome = fit(tiny, tmp_path, on_line=lambda line, done: heard.append((line, done)))
    lines = read_log(tmp_path / "log.jsonl")
    assert [(line.step, line.is_validation) for line in lines] == [
        (0, True), (1, False), (2, False), (3, False), (3, True), (4, False), (5, False), (6, False), (6, True)
    ]  # fmt: skip
    assert str([line for line, _ in heard]) == str(lines)  # NaN, where there is no teacher, is not NaN
    assert [done for _, done in heard] == [pytest.approx(line.step / 6) for line in lines]
    scores = [line.values for line in lines if line.is_validation]
    assert outcome is not None
    assert not outcome.stopped
    summary = outcome.summary
    assert (summary.steps, summary.r1_before, summary.r1_last) == (6, scores[0]["r1"], scores[-1]["r1"])
    assert (summary.r1_best, summary.ap_last) == (max(s["r1"] for s in scores[1:]), scores[-1]["ap"])
    assert read_summary(tmp_path / "last.safetensors")["r1_last"] == scores[-1]["r1"]
    assert summary.r1_best == read_summary(tmp_path / "best.safetensors")["r1"]


def test_a_run_that_has_only_its_pictures_left_draws_them_when_it_is_resumed(tiny: TrainSpec, tmp_path: Path) -> None:
    first = fit_and_draw(replace(tiny, steps=3), tmp_path)
    assert first is not None
    names = ["curves.png", "hardness.png", "confusions.png"]
    assert [path.name for path in first.pictures] == names
    for name in names:
        (tmp_path / name).unlink()
    again = fit_and_draw(replace(tiny, steps=3), tmp_path, resume=True)
    assert again is not None
    assert again.pictures == first.pictures
    for path in again.pictures:
        assert cv2.imread(str(path)) is not None
    assert again.summary.r1_last == first.summary.r1_last


def test_a_stopped_run_says_so_and_is_saved_where_it_was(
    tiny: TrainSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "train")
    outcome = fit(tiny, tmp_path, stop=stop_after(2))
    assert "21 places in 21 scenes to train on, 3 held out" in caplog.messages
    assert outcome is not None
    assert (outcome.stopped, outcome.summary.steps, outcome.summary.r1_best) == (True, 2, None)
    assert load_state(tmp_path / "state.pt")["step"] == 2
    assert not (tmp_path / "best.safetensors").exists()  # no validation since the first step
    fit(tiny, tmp_path, resume=True, stop=stop_after(1))
    assert any(line.startswith("goes on at step 2 after") for line in caplog.messages)


def test_a_run_without_places_to_choose_by_is_refused_before_a_network_is_built(
    tiny: TrainSpec, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for k in range(9):
        cv2.imwrite(str(few / f"{k}.png"), draw_place(k))
    with pytest.raises(DataError, match=r"holds back 1 places.*16 pictures or more"):
        fit(replace(tiny, data=(f"overhead:{few}@0.6",), device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_that_do_not_go_with_several_processes_are_refused_at_once(tiny: TrainSpec, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--beside is for one process"):
        fit(tiny.changed({"view.beside": True}), tmp_path, ranks=Ranks(0, 2))
    with pytest.raises(SettingsError, match="--batch 8 on 3 processes"):
        fit(tiny, tmp_path, ranks=Ranks(0, 3))


@pytest.mark.parametrize(("content", "message"), [(None, "is missing"), ("{", "is not JSON"), ("{}", "does not fit")])
def test_a_folder_that_is_no_run_cannot_be_resumed(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "spec.json").write_text(content)
    with pytest.raises(SettingsError, match=message):
        read_spec(tmp_path)
