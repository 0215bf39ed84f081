"""The table of arms is consistent, and arms run in an order in which each finds what it needs."""

from __future__ import annotations

import pytest

from runtime.errors import SettingsError
from train.ablation.arms import ARMS, CONTRASTS, DEFAULT_ARMS, ordered
from train.losses.objective import HOSTS


def test_arms_run_before_those_that_need_their_lambda() -> None:
    assert [arm.name for arm in ordered(["info_nce+triplet"])] == ["info_nce+dphr", "info_nce+triplet"]
    names = [arm.name for arm in ordered(list(ARMS))]
    for name, arm in ARMS.items():
        if arm.mean_lambda_of:
            assert names.index(arm.mean_lambda_of) < names.index(name)


def test_the_order_of_the_command_line_does_not_matter_and_no_arm_runs_twice() -> None:
    names = ["dphr", "info_nce", "dphr", "untrained"]
    assert [arm.name for arm in ordered(names)] == [arm.name for arm in ordered(names[::-1])]
    assert [arm.name for arm in ordered(names)] == ["untrained", "info_nce", "dphr"]


def test_an_unknown_arm_is_told_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match="--arms loss: expected some of untrained, info_nce, triplet"):
        ordered(["loss"])


def test_every_question_is_of_two_arms_that_exist_and_run_by_default() -> None:
    for contrast in CONTRASTS:
        assert {contrast.arm, contrast.against} <= set(DEFAULT_ARMS)
        assert contrast.arm != contrast.against


def test_every_host_is_one_that_the_trainer_has_and_no_arm_is_without_a_loss() -> None:
    for arm in ARMS.values():
        assert arm.host in HOSTS
        assert arm.host != "none" or arm.has_dphr
