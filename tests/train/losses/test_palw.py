"""PALW: lambda follows the fall of the loss, and goes on from a saved state."""

from __future__ import annotations

import json
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.losses.dphr import DphrSpec
from train.losses.palw import Palw


def test_lambda_follows_the_fall_of_the_loss_and_starts_at_zero() -> None:
    spec = DphrSpec(window=3, beta=0.5, alpha_max=2.0)
    palw, losses, want = Palw(spec), [1.0, 0.8, 0.6, 0.4, 0.2, 0.9, 0.1, 0.1], 0.0
    for t, loss in enumerate(losses):
        seen = losses[: t + 1]
        fallen = 1 - fmean(seen[-3:]) / fmean(seen[:3])
        want = 0.5 * want + 0.5 * 2.0 * min(max(fallen, 0.0), 1.0)
        assert palw.update(loss) == pytest.approx(want, abs=1e-12)
        if t < 3:
            assert palw.lambda_t == 0.0


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60), st.integers(1, 10), st.floats(0.0, 0.99))
@settings(max_examples=60)
def test_lambda_stays_between_nothing_and_its_maximum(losses: list[float], window: int, beta: float) -> None:
    palw = Palw(DphrSpec(window=window, beta=beta, alpha_max=1.5))
    assert all(0.0 <= palw.update(loss) <= 1.5 for loss in losses)


def test_a_loss_that_rises_or_was_nothing_from_the_start_lets_nothing_in() -> None:
    for losses in ([0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.0]):
        palw = Palw(DphrSpec(window=2, beta=0.0))
        assert [palw.update(loss) for loss in losses] == [0.0] * len(losses)


def test_switched_off_it_is_the_fixed_lambda_from_the_first_step() -> None:
    palw = Palw(DphrSpec(palw=False, fixed_lambda=0.7))
    assert [palw.lambda_t, palw.update(5.0), palw.update(0.0)] == [0.7] * 3


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=40), st.integers(1, 10), st.integers(0, 40))
@settings(max_examples=40)
def test_it_continues_from_its_saved_state_as_if_never_stopped(losses: list[float], window: int, cut: int) -> None:
    spec = DphrSpec(window=window)
    whole, before, after = Palw(spec), Palw(spec), Palw(spec)
    for loss in losses:
        whole.update(loss)
    for loss in losses[:cut]:
        before.update(loss)
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    for loss in losses[cut:]:
        after.update(loss)
    assert after.lambda_t == whole.lambda_t
