"""The numbers that have a formula are what the formula gives."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass

import pytest

from runtime.fix import K_HPL
from runtime.locate import belief_limits, limits
from runtime.locate.belief_limits import BELIEF, MOTION, POSTERIOR
from runtime.locate.limits import MOUNT, REGISTRATION


def chi_square_2(probability: float) -> float:
    """Invert the chi-square distribution with two degrees of freedom: 1 - exp(-x / 2)."""
    return -2.0 * math.log(1.0 - probability)


def test_gates_and_shares_are_those_of_their_distributions() -> None:
    for gate in (POSTERIOR.gate_99, MOTION.gate_99):
        assert gate == pytest.approx(chi_square_2(0.99), abs=0.005)
    assert BELIEF.agreeing_sigmas == pytest.approx(K_HPL, abs=0.005)
    assert MOUNT.gate == pytest.approx(chi_square_2(0.9973), abs=0.05)
    assert 1.0 / BELIEF.sigma_of_ce90 == pytest.approx(math.sqrt(chi_square_2(0.9)), abs=5e-4)
    assert REGISTRATION.chance_agreement == REGISTRATION.like_reaches**-2


def test_chance_is_below_every_threshold_of_agreement() -> None:
    assert REGISTRATION.chance_agreement < REGISTRATION.good_agreement < limits.POSE.full_agreement
    assert limits.Limits().min_support_alone > limits.Limits().min_support >= REGISTRATION.min_matches


def test_nothing_can_change_a_limit_in_flight() -> None:
    values = [*vars(limits).values(), *vars(belief_limits).values()]
    records = [value for value in values if is_dataclass(value) and not isinstance(value, type)]
    assert len(records) == 13
    for record in records:
        name = fields(record)[0].name
        with pytest.raises(AttributeError):
            setattr(record, name, 0.0)
