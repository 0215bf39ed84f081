"""A teacher reads the student's pictures at its own side, and nothing teaches it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from runtime.errors import TrainError
from train.data.batch import Batch
from train.model.checkpoint import load_encoder, save_encoder
from train.model.encoder import Encoder, EncoderSpec
from train.model.teacher import Teacher

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "best.safetensors"
    save_encoder(path, Encoder(EncoderSpec(dim=24, side_px=48, init="random", backbone="test_convnext")), {}, {})
    return path


def test_pictures_come_at_the_teachers_side_as_pillow_would_resize_them(
    checkpoint: Path, one_batch: Callable[[int], Batch]
) -> None:
    pictures = one_batch(3).drone
    larger = [Image.fromarray(picture.numpy()).resize((48, 48), Image.Resampling.BILINEAR) for picture in pictures]
    encoder, _ = load_encoder(checkpoint)
    with torch.inference_mode():
        want = encoder(torch.from_numpy(np.stack([np.asarray(picture) for picture in larger])))
    got = Teacher(checkpoint, device=CPU, amp_dtype=None, weight=1.0).embed(pictures, chunk=0)
    assert float((got * want).sum(dim=1).min()) > 0.9995


def test_pictures_of_the_teachers_own_side_are_read_as_they_are(checkpoint: Path) -> None:
    pictures = torch.randint(0, 256, (2, 48, 48, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    encoder, _ = load_encoder(checkpoint)
    teacher = Teacher(checkpoint, device=CPU, amp_dtype=None, weight=1.0)
    with torch.inference_mode():
        assert torch.equal(teacher.embed(pictures, chunk=0), encoder(pictures))


def test_chunks_give_the_rows_of_the_whole_without_gradients(
    checkpoint: Path, one_batch: Callable[[int], Batch]
) -> None:
    teacher, pictures = Teacher(checkpoint, device=CPU, amp_dtype=None, weight=1.0), one_batch(5).drone
    rows = teacher.embed(pictures, chunk=2)
    assert torch.allclose(rows, teacher.embed(pictures, chunk=0), atol=1e-6)
    assert not rows.requires_grad


def test_a_teacher_computes_in_the_runs_precision(checkpoint: Path, one_batch: Callable[[int], Batch]) -> None:
    pictures = one_batch(2).drone
    teachers = (Teacher(checkpoint, device=CPU, amp_dtype=dtype, weight=1.0) for dtype in (None, torch.bfloat16))
    plain, half = (teacher.embed(pictures, 0) for teacher in teachers)
    assert not torch.equal(plain, half)
    assert float((plain * half).sum(dim=1).min()) > 0.99


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"best\.safetensors is missing"):
        Teacher(tmp_path / "best.safetensors", device=CPU, amp_dtype=None, weight=1.0)
