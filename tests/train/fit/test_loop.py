"""Training steps: they learn, also in half precision, and a loss that is no number ends them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.amp import GradScaler

from train.choices import AmpChoice
from train.data.batch import Batch
from train.fit.loop import BadBatchError, StepResult, train_steps
from train.losses.objective import Objective
from train.model.amp import amp_dtype, grad_scaler
from train.model.checkpoint import save_encoder
from train.model.encoder import Encoder, EncoderSpec
from train.model.teacher import Teacher

TINY = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")
CPU = torch.device("cpu")


def _steps(encoder: Encoder, batch: Batch, count: int, lr: float = 2e-3, **options: object) -> list[StepResult]:
    objective = Objective("info_nce", None, label_smoothing=0.0)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *objective.parameters()], lr=lr)
    batches = (batch for _ in range(count))
    return list(train_steps(encoder, objective, batches, optimizer, device=CPU, clip_norm=10.0, **options))  # type: ignore[arg-type]


def test_the_loop_memorises_one_batch(one_batch: Callable[[int], Batch]) -> None:
    torch.manual_seed(0)
    losses = [step.loss for step in _steps(Encoder(TINY), one_batch(4), 40)]
    assert losses[0] > 1.0
    assert losses[-1] < 0.05


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_half_precision_learns_and_its_loss_stays_float32(amp: AmpChoice, one_batch: Callable[[int], Batch]) -> None:
    torch.manual_seed(0)
    encoder = Encoder(TINY, amp_dtype=amp_dtype(amp, CPU))
    scaler = grad_scaler(encoder.amp_dtype, CPU)
    assert encoder(one_batch(2).drone).dtype == torch.float32
    losses = [step.loss for step in _steps(encoder, one_batch(4), 20, scaler=scaler)]
    assert losses[-1] < losses[0] / 3
    assert scaler.is_enabled() == (amp == "fp16")


def test_a_gradient_that_overflows_fp16_skips_the_step_and_lowers_the_scale(one_batch: Callable[[int], Batch]) -> None:
    encoder = Encoder(TINY)
    scaler = GradScaler("cpu", init_scale=2.0**126)
    before = encoder.head.weight.clone()
    [step] = _steps(encoder, one_batch(4), 1, scaler=scaler)
    assert math.isfinite(step.loss)
    assert torch.equal(encoder.head.weight, before)
    assert scaler.get_scale() == 2.0**125


def test_a_loss_that_is_no_number_ends_the_run_before_a_weight_moves(one_batch: Callable[[int], Batch]) -> None:
    encoder = Encoder(TINY)
    with torch.no_grad():
        encoder.head.bias.fill_(float("nan"))
    before = encoder.head.weight.clone()
    with pytest.raises(BadBatchError, match="the loss is nan") as caught:
        _steps(encoder, one_batch(4), 1)
    assert torch.equal(encoder.head.weight, before)
    assert caught.value.batch.scene.tolist() == [0, 1, 2, 3]


def test_a_gradient_that_is_no_number_ends_the_run_before_a_weight_moves(one_batch: Callable[[int], Batch]) -> None:
    encoder = Encoder(TINY)
    encoder.head.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = encoder.head.weight.clone()
    with pytest.raises(BadBatchError, match="its gradient is"):
        _steps(encoder, one_batch(4), 1)
    assert torch.equal(encoder.head.weight, before)


def test_a_student_learns_its_teachers_similarities(tmp_path: Path, one_batch: Callable[[int], Batch]) -> None:
    torch.manual_seed(1)
    path = tmp_path / "best.safetensors"
    save_encoder(path, Encoder(EncoderSpec(dim=24, side_px=48, init="random", backbone="test_convnext")), {}, {})
    teacher = Teacher(path, device=CPU, amp_dtype=None, weight=10.0)
    pictures = one_batch(4).drone
    assert torch.allclose(teacher.embed(pictures, chunk=3), teacher.embed(pictures, chunk=0), atol=1e-6)
    steps = _steps(Encoder(TINY), one_batch(4), 25, teacher=teacher)
    assert steps[-1].distill < steps[0].distill / 2
