"""Half precision is chosen by the machine, and only fp16 scales its gradients."""

from __future__ import annotations

import pytest
import torch

from train.choices import AMP_CHOICES, AmpChoice
from train.model.amp import amp_dtype, grad_scaler

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("choice", "dtype"), [("auto", None), ("off", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_on_a_cpu_half_precision_is_only_what_was_asked_for(choice: AmpChoice, dtype: torch.dtype | None) -> None:
    assert amp_dtype(choice, CPU) == dtype
    assert choice in AMP_CHOICES


def test_only_fp16_has_gradients_scaled() -> None:
    assert [grad_scaler(dtype, CPU).is_enabled() for dtype in (None, torch.bfloat16, torch.float16)] == [
        False, False, True
    ]  # fmt: skip


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
def test_on_a_gpu_auto_is_half_and_bf16_where_the_hardware_has_it() -> None:
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    assert amp_dtype("auto", torch.device("cuda")) == (torch.bfloat16 if native else torch.float16)
