"""Distillation against its definition written again as a loop: what the student pays for seeing otherwise."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.losses.pairs import Batch, batches, fixed_batch, unit_rows
from train.losses.distill import distillation


@given(batches(), st.integers(1, 5))
@settings(max_examples=30)
def test_it_equals_its_definition_as_a_loop(batch: Batch, teacher_dim: int) -> None:
    student, count = batch[:2], len(batch[0])
    teacher = unit_rows(count, teacher_dim, 7), unit_rows(count, teacher_dim, 8)
    terms = []
    for a, b in ((0, 1), (1, 0)):
        for i in range(count):
            p, q = (
                [math.exp(float(views[a][i] @ views[b][k]) / 0.1) for k in range(count)] for views in (teacher, student)
            )
            terms.append(sum(x / sum(p) * math.log((x / sum(p)) / (y / sum(q))) for x, y in zip(p, q, strict=True)))
    assert distillation(*student, *teacher, temperature=0.1).item() == pytest.approx(fmean(terms), abs=1e-9)


def test_a_student_that_sees_as_its_teacher_pays_nothing_whatever_turns_its_space() -> None:
    drone, tile = unit_rows(5, 3, 0), unit_rows(5, 3, 1)
    turn = torch.linalg.qr(unit_rows(3, 3, 2))[0]
    assert distillation(drone @ turn, tile @ turn, drone, tile).item() == pytest.approx(0.0, abs=1e-12)
    assert distillation(drone, tile.roll(1, 0), drone, tile).item() > 0.1


def test_the_teacher_is_not_taught() -> None:
    student, teacher = unit_rows(4, 3, 0), unit_rows(4, 6, 1).requires_grad_()
    assert not distillation(student, student, teacher, teacher).requires_grad


def test_a_teacher_of_another_number_of_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="the student has 3 pairs, the teacher 2"):
        distillation(*[unit_rows(3, 4, 0)] * 2, *[unit_rows(2, 4, 0)] * 2)


def test_its_gradient_agrees_with_finite_differences() -> None:
    drone, tile, _ = fixed_batch()
    teacher = unit_rows(4, 2, 4), unit_rows(4, 2, 5)
    assert torch.autograd.gradcheck(lambda d, t: distillation(d, t, *teacher), (drone, tile))
