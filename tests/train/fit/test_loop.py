"""Training steps: they learn, in halves and in chunks as in one piece, and a loss that is no number ends them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from train.data.batch import Batch
from train.fit.gradient_cache import backward
from train.fit.loop import BadBatchError, StepResult, train_steps
from train.losses.dphr import DphrSpec
from train.losses.objective import Objective, Terms
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
def test_half_precision_learns_and_its_loss_stays_float32(amp: str, one_batch: Callable[[int], Batch]) -> None:
    torch.manual_seed(0)
    encoder = Encoder(TINY)
    encoder.amp_dtype = amp_dtype(amp, CPU)
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


@pytest.mark.parametrize("chunk", [1, 3, 5, 7])
def test_gradients_in_chunks_are_those_of_the_whole_batch(chunk: int) -> None:
    """On a network without batch normalisation; with it, chunks have statistics of their own."""
    spec = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_convnext", pooling="avg")
    pictures = torch.randint(0, 256, (12, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = []
    for size in (0, chunk):
        torch.manual_seed(0)
        encoder, objective = Encoder(spec), Objective("info_nce", DphrSpec(palw=False), 0.1, matryoshka=(8,))
        terms = backward(encoder, pictures, lambda rows, o=objective: o(*rows.chunk(2)), scaler=_off(), chunk=size)
        parameters = [*encoder.parameters(), *objective.parameters()]
        found.append((terms.loss.item(), torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])))
    (whole_loss, whole), (loss, gradient) = found
    assert loss == pytest.approx(whole_loss, abs=1e-5)
    assert whole.norm() > 0.1
    assert (gradient - whole).norm() < 1e-5 * whole.norm()


def test_chunks_agree_with_one_graph_over_them_in_dropout_and_running_statistics() -> None:
    class Terse(nn.Module):
        def forward(self, rows: Tensor) -> Terms:
            loss = (rows @ rows.T).exp().mean()  # every row meets every other one
            return Terms(loss, 0.0, 0.0, 0.0, 0.0)

    pictures, found = torch.randn(10, 6), []
    for cached in (True, False):
        torch.manual_seed(3)
        network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4))
        if cached:
            backward(network, pictures, Terse(), scaler=_off(), chunk=5)
        else:
            torch.autograd.backward(Terse()(torch.cat([network(part) for part in pictures.split(5)])).loss)
        found.append([*(p.grad for p in network.parameters()), *network.buffers(), torch.rand(1)])
    for mine, oracle in zip(*found, strict=True):
        assert torch.allclose(mine, oracle, atol=1e-6)


def _off() -> GradScaler:
    return GradScaler("cpu", enabled=False)


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
