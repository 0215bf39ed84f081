"""The learning rate rises over the first steps and falls over the clock; a run says what it lacks before it starts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import SkyfixError, TrainError
from train.local.fit import _share_of_lr, fit
from train.local.spec import LocalSpec


@given(st.integers(0, 5000), st.floats(0, 2))
def test_the_share_of_the_learning_rate_is_between_0_and_1(step: int, part: float) -> None:
    assert 0 <= _share_of_lr(step, part) <= 1


def test_the_learning_rate_rises_over_100_steps_and_is_gone_at_the_end() -> None:
    assert _share_of_lr(0, 0.0) == pytest.approx(0.01)
    assert _share_of_lr(49, 0.0) == pytest.approx(0.5)
    assert _share_of_lr(500, 0.0) == 1.0
    assert _share_of_lr(500, 0.5) == pytest.approx(0.5)
    assert _share_of_lr(500, 1.0) == pytest.approx(0.0)


@pytest.fixture
def spec(pictures: Path, default_bundle: Path) -> LocalSpec:
    return LocalSpec(data=(f"overhead:{pictures}@0.6",), init=str(default_bundle), side=64, batch=2, points=64,
                     footprint=(30.0, 40.0), minutes=0.03, workers=0)  # fmt: skip


def no_tick(done: int, total: int) -> None: ...


def test_what_is_missing_is_told_before_a_step_is_taken(spec: LocalSpec, matcher: Path, tmp_path: Path) -> None:
    with pytest.raises(SkyfixError, match=r"has no manifest\.json"):
        fit(spec, tmp_path / "out", teacher=tmp_path, tick=no_tick)
    lonely = replace(spec, data=(spec.data[0].replace("overhead:", "site:"),))
    with pytest.raises(TrainError, match="has no scenes of val; add a source that holds some, as world:1"):
        fit(lonely, tmp_path / "out", teacher=matcher, tick=no_tick)
    assert not (tmp_path / "out").exists()


def test_scores_are_returned_logged_and_kept_with_the_weights(spec: LocalSpec, matcher: Path, tmp_path: Path) -> None:
    ticks: list[tuple[int, int]] = []
    scores = fit(spec, tmp_path, teacher=matcher, tick=lambda *at: ticks.append(at))
    assert scores.steps == len(ticks) >= 1
    assert {total for _, total in ticks} == {1}, "a clock of whole seconds"
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert list(last) == ["steps", "descriptor", "reliability", "keypoint", "right"]
    assert last["right"] == scores.right
    assert (tmp_path / "local.safetensors").is_file()
