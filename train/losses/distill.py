"""Relational distillation: a small encoder learns how alike a large one finds all views and tiles of a batch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from train.losses.distances import cross_cosines


def distillation(
    student_drone: Tensor,  # (B, D) unit-norm
    student_tile: Tensor,  # (B, D) unit-norm
    teacher_drone: Tensor,  # (B, D') unit-norm, of the same pictures; D' may differ
    teacher_tile: Tensor,  # (B, D') unit-norm
    *,
    temperature: float = 0.1,
) -> Tensor:  # ()
    """Return the KL divergence from the teacher's softmaxed cosines to the student's, both directions averaged.

    Fang et al., "SEED", ICLR 2021, with the batch in place of its queue; that similarities carry over between spaces
    of different size is from Tung & Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019. One temperature
    for both asks for the teacher's cosines themselves; its gradient is as large as InfoNCE's at that temperature.

    Pairs of one place stay in: InfoNCE must leave them out because its label calls them different, but the teacher
    says how alike they are, which is what there is to learn. Raises ValueError where the two have not as many pairs.
    """
    student = cross_cosines(student_drone, student_tile) / temperature
    teacher = cross_cosines(teacher_drone, teacher_tile).detach() / temperature
    if student.shape != teacher.shape:
        raise ValueError(f"the student has {len(student)} pairs, the teacher {len(teacher)}; expected as many")
    return (_kl(teacher, student) + _kl(teacher.T, student.T)) / 2


def _kl(teacher: Tensor, student: Tensor) -> Tensor:  # (B, B) logits -> ()
    """Return the mean over rows of the divergence between softmaxed logits."""
    return F.kl_div(student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True)
